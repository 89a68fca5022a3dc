"""A person at the web frontend: what they click, and what the page asked of the server."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

_FLAGS = (
    "--headless=new --no-sandbox --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --window-size=1500,1000 --use-gl=angle"
    " --use-angle=swiftshader --enable-unsafe-swiftshader --ignore-gpu-blocklist"
)
_OURS = ("/api/", "/ogc/")
_POLICY = "Content Security Policy"
_SECONDS = 20


@contextmanager
def chromium(profile: Path, resolver_rules: str) -> Iterator[WebDriver]:
    """Run a headless Chromium that can draw maps; skip the test where there is none.

    `resolver_rules` are Chromium's, and say where the hosts that pages ask are. Certificates may
    be self-signed.
    """
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("no Chromium: Debian's packages chromium and chromium-driver bring it")
    options = Options()
    options.binary_location = binary
    options.accept_insecure_certs = True
    places = f"--host-resolver-rules={resolver_rules}"
    for flag in (*_FLAGS.split(), places, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield browser
    finally:
        browser.quit()


type Visitor = Callable[[str | None], Person]
"""Returns somebody who opens the frontend, signed in as this user or not."""


class Person:
    """Somebody at the frontend; the browser's windows are one after the other."""

    def __init__(self, browser: WebDriver, url: str, shots: Path) -> None:
        self.browser = browser
        self._url = url
        self._shots = shots
        self._asked: dict[str, tuple[str, str]] = {}
        self.answers: list[tuple[str, str, int]] = []
        """Method, path and status of each request that the pages made of the server's API.

        The status is 0 where the page got no response, or CORS kept it from the page.
        """

    def comes(self, name: str | None) -> None:
        """Open the frontend as this user, or as nobody."""
        self.browser.get(f"{self._url}/favicon.png")
        self.browser.execute_script(
            "localStorage.clear(); localStorage.setItem('samsyn-welcome-shown', 'true');"
            "if (arguments[0]) localStorage.setItem('stand-in-user', arguments[0]);"
            "localStorage.setItem('stand-in-begun', Math.ceil(Date.now() / 1000))",
            name,
        )
        self.reloads()

    def reloads(self) -> None:
        """Open the frontend anew, and wait until it has loaded its maps and drawn one."""
        before = len(self.answers)
        self.browser.get(self._url)
        self.until(lambda: self._answered_since(before))
        self.settles()
        self.until(lambda: self.sees("Maps") and not self.sees("Loading map"))

    def _answered_since(self, number: int) -> bool:
        self._collect()
        return len(self.answers) > number

    def settles(self) -> None:
        """Wait until the page has asked nothing of the API for half a second."""
        deadline, quiet = time.monotonic() + _SECONDS, 0
        while quiet < 5 and time.monotonic() < deadline:
            before = len(self.answers)
            self._collect()
            quiet = quiet + 1 if len(self.answers) == before else 0
            time.sleep(0.1)

    def text(self) -> str:
        """Return all text on the page."""
        return str(self.browser.execute_script("return document.body.innerText"))

    def sees(self, text: str) -> bool:
        """Return whether the page shows this."""
        return text in self.text()

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait for something to be so; the page as it was at the end is kept if it never is."""
        ignored = (StaleElementReferenceException,)
        try:
            return WebDriverWait(self.browser, _SECONDS, 0.1, ignored).until(lambda _: condition())
        except TimeoutException:
            self.browser.save_screenshot(str(self._shots / "failure.png"))
            pytest.fail(
                f"the page {self.browser.title!r} never came to this; it says:\n{self.text()}"
            )

    def find(self, what: str) -> WebElement:
        """Return the first visible element of an XPath, or of a selector of CSS."""
        by = By.XPATH if what.startswith(("/", "(")) else By.CSS_SELECTOR

        def visible() -> WebElement | None:
            found = self.browser.find_elements(by, what)
            return next((element for element in found if element.is_displayed()), None)

        element: WebElement = self.until(visible)
        return element

    def clicks(self, what: str) -> None:
        """Click the button or option with this text, or what an XPath or selector finds."""
        path = what
        if not what.startswith(("/", "(", "#", "[", ".")):
            path = (
                f"//button[normalize-space()='{what}']"
                f"|//*[@role='option'][contains(normalize-space(), '{what}')]"
            )

        def done() -> bool:
            try:
                self.find(path).click()
            except (ElementClickInterceptedException, StaleElementReferenceException):
                return False
            return True

        self.until(done)

    def writes(self, selector: str, text: str) -> None:
        """Put text into a field in place of what is there."""
        field = self.find(selector)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text)

    def points_at(self, *points: tuple[int, int]) -> None:
        """Click on the map, at pixels from its middle."""
        canvas = self.find("canvas.maplibregl-canvas")
        for x, y in points:
            ActionChains(self.browser).move_to_element_with_offset(canvas, x, y).pause(
                0.3
            ).click().pause(0.3).perform()

    def draws(self, *points: tuple[int, int]) -> None:
        """Click corners on the map, in pixels from its middle, and close the shape."""
        self.points_at(*points)
        ActionChains(self.browser).send_keys(Keys.ENTER).perform()

    def pulls(self, start: tuple[int, int], by: tuple[int, int]) -> None:
        """Move what is under a place on the map, in pixels from its middle, in two strokes."""
        canvas = self.find("canvas.maplibregl-canvas")
        stroke = ActionChains(self.browser).move_to_element_with_offset(canvas, *start)
        stroke.click_and_hold().pause(0.2)
        for _ in range(2):
            stroke.move_by_offset(by[0] // 2, by[1] // 2).pause(0.2)
        stroke.release().perform()

    def drags(self, what: str, onto: str) -> None:
        """Drag an element onto another one, with the events that a browser sends."""
        send = (
            "arguments[0].dispatchEvent(new DragEvent(arguments[1], {bubbles: true,"
            " cancelable: true, dataTransfer: new DataTransfer()}))"
        )
        dragged, target = self.find(what), self.find(onto)
        for element, event in (
            (dragged, "dragstart"),
            (target, "dragover"),
            (target, "drop"),
            (dragged, "dragend"),
        ):
            self.browser.execute_script(send, element, event)
            time.sleep(0.1)  # the page notes one event before the next
        self.settles()

    def shows(self, name: str) -> None:
        """Keep a picture of the page."""
        file = self._shots / f"{name}.png"
        assert self.browser.save_screenshot(str(file))
        assert file.stat().st_size > 20_000

    def failures(self) -> list[tuple[str, str, int]]:
        """Return the requests that were not answered 2xx."""
        self.settles()
        return [
            (method, path, status)
            for method, path, status in self.answers
            if not 200 <= status < 300
        ]

    def violations(self) -> list[str]:
        """Return what the pages' policy has refused since this was last called."""
        entries = self.browser.get_log("browser")
        return [entry["message"] for entry in entries if _POLICY in entry["message"]]

    def _collect(self) -> None:
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            event, parameters = message["method"], message["params"]
            if event == "Network.requestWillBeSent":
                request = parameters["request"]
                self._asked[parameters["requestId"]] = (request["method"], request["url"])
            elif event == "Network.responseReceived":
                self._note(parameters, int(parameters["response"]["status"]))
            # a page that is left gives up what it still waits for
            elif event == "Network.loadingFailed" and not parameters.get("canceled"):
                self._note(parameters, 0)

    def _note(self, parameters: dict[str, Any], status: int) -> None:
        method, url = self._asked.get(parameters["requestId"], ("?", ""))
        path = urlsplit(url).path
        if path.startswith(_OURS):
            self.answers.append((method, path, status))
