"""Libraries that draw maps in browsers, on pages of another origin than the server's."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from tests.clients.frontend_server import serving_pages

PAGES = Path(__file__).with_name("map_pages")
_SECONDS = 60


def clients_folder() -> Path:
    """Return where scripts/install-clients installs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "samsyn" / "clients"


def library(name: str) -> Path:
    """Return the folder of a library, or skip the test and say why."""
    found = sorted(clients_folder().glob(f"{name}-[0-9]*"))
    if not found:
        pytest.skip(f"{name} is not installed: scripts/install-clients installs it")
    return found[-1]


@contextmanager
def serving_map_pages(folder: Path, name: str) -> Iterator[str]:
    """Serve the pages beside a library until the block ends; yield their address."""
    for page in PAGES.iterdir():
        (folder / page.name).symlink_to(page)
    (folder / name).symlink_to(library(name))
    with serving_pages(folder) as url:
        yield url


class MapPage:
    """A page that draws with a library; each call draws on a page loaded anew."""

    def __init__(self, browser: WebDriver, address: str) -> None:
        self._browser = browser
        self._address = address

    def does(self, function: str, *arguments: Any) -> dict[str, Any]:
        """Call a function of the page's `client` and return what it resolves to."""
        self._browser.get_log("browser")
        self._browser.get(self._address)
        self._browser.set_script_timeout(_SECONDS)
        WebDriverWait(self._browser, _SECONDS).until(
            lambda b: b.execute_script("return typeof client === 'object'")
        )
        result = self._browser.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "client[arguments[0]](...arguments[1])"
            ".then(done, (error) => done({ error: String(error.stack) }))",
            function,
            arguments,
        )
        assert "error" not in result, result
        return dict(result)

    def complaints(self) -> list[str]:
        """Return the errors in the console since the last call."""
        entries = self._browser.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]
