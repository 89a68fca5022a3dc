"""Signing in on the pages in a real browser: a private layer is seen, downloaded, and gone."""

from pathlib import Path

import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from samsyn_provider.http.browser_session import COOKIE
from tests.clients.samsyn_server import OWNER, Server
from tests.clients.test_browser import FEATURES, _drawn, _keeps_to_itself, _open, browser

__all__ = ["browser"]

FETCH = """
    const [path, done] = arguments;
    fetch(path, { cache: "no-cache" }).then(async (response) => {
      const bytes = new Uint8Array(await response.arrayBuffer());
      done([response.status, bytes.length, String.fromCharCode(...bytes.slice(0, 6))]);
    });"""

STORED = """
    const [path, done] = arguments;
    fetch(path, { cache: "only-if-cached", mode: "same-origin" })
      .then((response) => done(response.ok), () => done(false));"""


def _heading(browser: WebDriver) -> str:
    return browser.find_element(By.TAG_NAME, "h1").text


def test_a_private_layer_until_signing_out(
    browser: WebDriver, server: Server, moorings: str, token: str, tmp_path: Path
) -> None:
    layer = f"/ogc/collections/{moorings}"
    _open(browser, server, f"{layer}/items?f=html&limit=20")
    assert _heading(browser) == "404 Not Found"
    browser.find_element(By.CSS_SELECTOR, "main").find_element(By.LINK_TEXT, "Sign in").click()
    assert _heading(browser) == "Sign in"
    browser.save_screenshot(str(tmp_path / "sign-in.png"))
    browser.find_element(By.ID, "token").send_keys("samsyn_wrong\n")
    assert "not valid" in browser.find_element(By.CSS_SELECTOR, "[role=alert]").text
    browser.save_screenshot(str(tmp_path / "refused.png"))
    browser.find_element(By.ID, "token").send_keys(f"{token}\n")
    assert browser.current_url == f"{server.url}{layer}/items?f=html&limit=20"
    assert _drawn(browser, FEATURES) == 20
    assert OWNER in browser.find_element(By.TAG_NAME, "header").text
    browser.save_screenshot(str(tmp_path / "signed-in.png"))
    assert browser.execute_script("return document.cookie") == "", "scripts do not see the cookie"
    cookie = browser.get_cookie(COOKIE)
    assert cookie
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    tile = f"{layer}/tiles/WebMercatorQuad/0/0/0"
    for path, start in ((tile, None), (f"{layer}/items?f=gpkg", "SQLite")):
        status, size, signature = browser.execute_async_script(FETCH, path)
        assert (status, size > 100) == (200, True), path
        assert start in {None, signature}
    _open(browser, server, "/?q=F%C3%B6rt%C3%B6jningar")
    assert browser.find_elements(By.CSS_SELECTOR, f"[data-items*='{moorings}']")
    _open(browser, server, f"{layer}?f=html")
    assert _drawn(browser, FEATURES) >= 1
    _keeps_to_itself(browser, server)
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        width = browser.execute_script("return document.documentElement.scrollWidth")
        browser.save_screenshot(str(tmp_path / "telephone.png"))
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width == screen["width"]
    assert browser.execute_async_script(STORED, tile), "tiles are stored, to be revalidated"
    browser.find_element(By.XPATH, "//button[text()='Sign out']").click()
    WebDriverWait(browser, 10).until(lambda b: b.current_url == f"{server.url}/")
    assert not browser.execute_async_script(STORED, tile), "the browser's cache has the tile"
    assert browser.get_cookie(COOKIE) is None
    for path in (tile, f"{layer}/items?f=gpkg", layer):
        assert browser.execute_async_script(FETCH, path)[0] == 404, path
    browser.back()
    assert _heading(browser) == "404 Not Found", "the browser shows the page again"
    browser.save_screenshot(str(tmp_path / "signed-out.png"))
    used = {"Cookie": f"{COOKIE}={cookie['value']}"}
    response = requests.get(f"{server.url}{layer}", headers=used, timeout=10)
    assert response.status_code == 404, "the session outlives signing out"


def test_no_form_of_another_site_signs_in(browser: WebDriver, server: Server, token: str) -> None:
    """A page at the machine's other name posts the form: the browser names the page's origin."""
    other = server.url.replace("127.0.0.1", "localhost")
    browser.get(f"{other}/ogc/static/samsyn.css")
    browser.execute_script(
        """
        const form = document.createElement("form");
        form.method = "post";
        form.action = arguments[0];
        const field = document.createElement("input");
        field.name = "token";
        field.value = arguments[1];
        form.append(field);
        document.documentElement.append(form);
        form.submit();""",
        f"{server.ogc}/sign-in",
        token,
    )
    WebDriverWait(browser, 10).until(lambda b: b.current_url == f"{server.ogc}/sign-in")
    assert _heading(browser) == "403 Forbidden"
    assert browser.get_cookie(COOKIE) is None
