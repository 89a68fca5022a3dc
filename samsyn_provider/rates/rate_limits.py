"""What callers may do so many times a minute, and whether they still may."""

import enum
import math

from samsyn_model.errors import TooManyRequestsError
from samsyn_model.settings import Settings
from samsyn_provider.rates.local_rates import PERIOD, LocalRates


class Rate(enum.Enum):
    """What is counted, by the setting that has its allowance a minute; 0 there: it is not."""

    WRITES = "writes_per_minute"
    UPLOADS = "uploads_per_minute"
    DOWNLOADS = "downloads_per_minute"
    SEARCHES = "searches_per_minute"
    TILES = "tiles_per_minute"
    OUTGOING = "outgoing_per_minute"
    LOOKUPS = "lookups_per_minute"
    RASTERS = "rasters_per_minute"
    WRONG_CREDENTIALS = "wrong_credentials_per_minute"


_DETAILS = {
    Rate.WRITES: "You change more than {allowance} things a minute",
    Rate.UPLOADS: "You send more than {allowance} bulk imports a minute",
    Rate.DOWNLOADS: "You download more than {allowance} files a minute",
    Rate.SEARCHES: "Without signing in there are {allowance} searches and filters a minute",
    Rate.TILES: "You request more than {allowance} tiles a minute that have to be made",
    Rate.OUTGOING: "You need more than {allowance} requests to other servers a minute",
    Rate.RASTERS: "You look at more than {allowance} GeoTIFFs of other servers a minute",
    Rate.LOOKUPS: "You look for more than {allowance} people a minute",
    Rate.WRONG_CREDENTIALS: "There were too many wrong credentials from your address",
}


class RateLimits:
    """The rates of the callers of one process, or of all processes that share a Redis.

    While Redis is away each process counts on its own: no request fails for it. Thread-safe.
    Raises ValueError when REDIS_URL is not a Redis URL.
    """

    def __init__(self, settings: Settings) -> None:
        self._allowances: dict[Rate, int] = {rate: getattr(settings, rate.value) for rate in Rate}
        self._local = LocalRates()
        self._redis = None
        if settings.redis_url:
            # slow to import, and optional
            from samsyn_provider.rates.redis_rates import RedisRates  # noqa: PLC0415

            self._redis = RedisRates(settings.redis_url)

    def spend(self, rate: Rate, caller: str) -> None:
        """Count a request of a caller; raises TooManyRequestsError where it is one too many."""
        wait = self._spend(rate, caller, is_refusing=True)
        if wait:
            raise self._error(rate, wait)

    def count(self, rate: Rate, caller: str) -> None:
        """Count what a caller has done already: `check` refuses the next."""
        self._spend(rate, caller, is_refusing=False)

    def check(self, rate: Rate, caller: str) -> None:
        """Raise TooManyRequestsError where the next request of a caller is one too many.

        Nothing is counted, and Redis is not asked: with it, this process knows of what it has
        counted itself.
        """
        allowance = self._allowances[rate]
        if allowance and (wait := self._local.wait(f"{rate.value}:{caller}", allowance)):
            raise self._error(rate, wait)

    def _spend(self, rate: Rate, caller: str, *, is_refusing: bool) -> float:
        """Return the seconds that a request comes too early, 0 where it is counted."""
        allowance = self._allowances[rate]
        if not allowance:
            return 0.0
        key, spent = f"{rate.value}:{caller}", None
        if self._redis is not None:
            if is_refusing and (wait := self._local.wait(key, allowance)):
                return wait
            spent = self._redis.spend(key, allowance)
            if spent is not None and spent.wait:
                self._local.refuse_for(key, allowance, spent.wait)
        if spent is None:
            spent = self._local.spend(key, allowance)
        return 0.0 if spent.is_granted else spent.wait

    def _error(self, rate: Rate, wait: float) -> TooManyRequestsError:
        allowance, seconds = self._allowances[rate], math.ceil(wait)
        return TooManyRequestsError(
            f"{_DETAILS[rate].format(allowance=f'{allowance:,}')}: try again in"
            f" {'1 second' if seconds == 1 else f'{seconds} seconds'}.",
            retry_after=seconds,
            policy=f'"{rate.value.removesuffix("_per_minute")}";q={allowance};w={PERIOD:.0f}',
        )
