"""PostgreSQL's settings that sessions begin with: by start-up options, or by those of the role.

A pooler passes no start-up options on: with one, the role has to have the settings.
"""

from collections.abc import Mapping

# With PostgreSQL's default it starts parallel workers, which takes 15 ms, for the first hundred
# features of a large box: PostGIS overestimates the cost of its conditions twenty times.
_PARALLEL_COST = 100_000

GENERIC_PLANS, EACH_ITS_PLAN = "force_generic_plan", "auto"
"""Values of `plan_cache_mode`."""

SELECT_SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY (%(names)s)"
"""The settings of a session, in their own units: milliseconds, for example."""

_SAME = {"Etc/UTC": "UTC", "GMT": "UTC"}


def session_settings(
    statement_timeout: int, *, prepares: bool, plan_cache_mode: str = GENERIC_PLANS
) -> dict[str, str]:
    """Return the settings by name; `statement_timeout` is in seconds, 0 for none.

    Where statements are prepared, PostgreSQL would plan some each time: it is told by
    `plan_cache_mode` how it plans these.
    """
    return {
        "statement_timeout": str(statement_timeout * 1000),
        "TimeZone": "UTC",
        "search_path": "public",
        "jit": "off",
        "parallel_setup_cost": str(_PARALLEL_COST),
        "plan_cache_mode": plan_cache_mode if prepares else EACH_ITS_PLAN,
    }


def start_up_options(settings: Mapping[str, str]) -> str:
    """Return settings as the start-up parameter `options`."""
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def not_in_force(wanted: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the settings that a session has otherwise."""
    return tuple(
        name for name, value in wanted.items() if _SAME.get(found[name], found[name]) != value
    )
