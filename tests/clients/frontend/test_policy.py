"""The Content-Security-Policy of docs/operating.md keeps what users write from running as scripts.

The frontend puts names and attributes into its popups as HTML.
"""

from collections.abc import Iterator

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.clients.frontend.plans import Plan, square
from tests.clients.frontend_session import Person, Visitor
from tests.clients.samsyn_server import Server

RUNS = "document.title += '[{}]'"
POPUP = ".maplibregl-popup-content"


def _image(name: str) -> str:
    return f'<img src=x onerror="{RUNS.format(name)}">'


@pytest.fixture(scope="module")
def plan(server: Server) -> Plan:
    """A public map with a layer whose every text tries to run a script."""
    plan = Plan(server, "mallory", name=f"Plan {_image('map')}", view_permission="public")
    plan.adds_layer(
        f"Zone {_image('layer')}",
        [
            square(
                1,
                name=f"Site {_image('feature')}",
                description=_image("description"),
                value=_image("value"),
                link=f'<a href="javascript:void({RUNS.format("link")})">more</a>',
                frame=f'<iframe srcdoc="<script>parent.{RUNS.format("frame")}</script>"></iframe>',
                script=f"<script>{RUNS.format('script')}</script>",
                **{_image("attribute"): 1},
            )
        ],
    )
    plan.comments(f"Comment {_image('comment')}")
    return plan


@pytest.fixture(params=[True, False], ids=["with the policy", "without the policy"])
def policy(request: pytest.FixtureRequest, browser: WebDriver) -> Iterator[bool]:
    """Whether the browser follows the policy."""
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": not request.param})
    yield request.param
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})


def test_texts_of_users_do_not_run(visitor: Visitor, plan: Plan, policy: bool) -> None:
    """Without the policy they do: the frontend itself does not prevent it."""
    reader = visitor("anna")
    reader.violations()
    reader.until(lambda: _opens_popup(reader))
    reader.clicks(f"//*[contains(@class, '{POPUP[1:]}')]//a[normalize-space()='more']")
    reader.shows("popup")
    runs = {"layer", "feature", "description", "value", "attribute", "link", "frame"}
    if policy:
        reader.until(lambda: any("inline" in message for message in reader.violations()))
        assert "[" not in reader.browser.title
    else:
        reader.until(lambda: {name for name in runs if f"[{name}]" in reader.browser.title} == runs)
    reader.clicks("Comments")
    reader.until(lambda: reader.sees(f"Comment {_image('comment')}"))
    assert "[comment]" not in reader.browser.title
    assert "[map]" not in reader.browser.title


def _opens_popup(person: Person) -> bool:
    """Click on the zone in the middle of the map, which may not be drawn yet."""
    person.points_at((0, 0))
    return bool(person.browser.find_elements("css selector", POPUP))
