"""What an administrator does on the pages of the web frontend's library, several clicks each."""

from tests.clients.frontend_pages import CONFIRM, choose_new_category
from tests.clients.frontend_session import Person

_GEOJSON = "textarea.font-mono"
_PREVIEW = "img[alt='GeoTIFF preview']"
_IS_DRAWN = "return arguments[0].complete ? arguments[0].naturalWidth : 0"


def add_wms_server(admin: Person, name: str, url: str) -> None:
    """Add a WMS to the shared list, which asks it for its capabilities; its name is shown."""
    admin.clicks("Admin")
    admin.clicks("Add WMS Server")
    admin.writes("#wms-url", url)
    admin.writes("#server-name", name)
    admin.clicks("Add Server")
    admin.until(lambda: admin.sees("Server validated successfully!"))
    admin.until(lambda: admin.sees("Browse Layers"))


def browse_wms_server(admin: Person, search: str) -> str:
    """Search the layers of the only WMS; return what the page shows, and go back to the list."""
    admin.clicks("Browse Layers")
    admin.until(lambda: admin.sees("layers available"))
    admin.writes("input[placeholder='Search layers...']", search)
    admin.settles()
    shown = admin.text()
    admin.shows("wms-browsed")
    admin.clicks("← Back to Servers")
    return shown


def add_wms_layer(admin: Person, server: str, title: str) -> None:
    """Add a layer of a WMS of the list to the library, which is open."""
    admin.clicks("WMS")
    admin.clicks(f"//button[contains(., '{server}')]")
    admin.clicks(f"//button[contains(., '{title}')]")
    if not admin.find("#description").get_attribute("value"):
        admin.writes("#description", f"What {title} is")
    _add_to_library(admin, author="Chart office")


def add_geotiff(admin: Person, name: str, url: str, colormap: str) -> str:
    """Add a GeoTIFF to the library, after a look at it; return what the form told of it."""
    admin.clicks("GeoTIFF")
    admin.writes("#geotiffUrl", url)
    admin.clicks("Fetch Info")
    admin.until(lambda: admin.sees("GeoTIFF Information"))
    admin.clicks("#colormap")
    admin.clicks(f"//*[@role='option'][normalize-space()='{colormap}']")
    width = admin.until(lambda: admin.browser.execute_script(_IS_DRAWN, admin.find(_PREVIEW)))
    low, high = (
        admin.find(f"input[placeholder='{limit}']").get_attribute("value")
        for limit in ("Min", "Max")
    )
    told = f"{admin.text()}\nrescale: {low} to {high}\npreview: {width} px"
    admin.browser.execute_script("arguments[0].scrollIntoView()", admin.find(_PREVIEW))
    admin.shows("geotiff-form")
    admin.writes("#name", name)
    admin.writes("#description", f"What {name} is")
    _add_to_library(admin, author="Laboratory")
    return told


def open_library(admin: Person) -> None:
    """Open the administrator's page of the library's layers."""
    admin.clicks("Admin")
    admin.clicks("Library Layers")


def add_geojson_to_library(admin: Person, name: str, text: str) -> None:
    """Add a layer of this GeoJSON to the library, after a look at it on the map."""
    admin.clicks("GeoJSON")
    admin.writes(_GEOJSON, "{")
    admin.clicks("Validate")
    admin.until(lambda: admin.sees("Invalid GeoJSON"))
    admin.writes(_GEOJSON, text)
    admin.clicks("Validate")
    admin.until(lambda: admin.sees("Valid GeoJSON"))
    admin.clicks("Preview on Map")
    admin.writes("#name", name)
    admin.writes("#description", "What the laboratory found")
    _add_to_library(admin, author="Laboratory")


def rename_in_library(admin: Person, name: str, new_name: str) -> None:
    """Give a layer of the library another name."""
    admin.clicks(f"{_library_row(name)}//button[1]")
    admin.writes("#name", new_name)
    admin.clicks("Update Layer")
    admin.until(lambda: admin.sees("Layer updated"))


def delete_from_library(admin: Person, name: str) -> None:
    """Ask for a layer to be deleted, on the page where it is listed."""
    admin.clicks(f"{_library_row(name)}//button[2]")
    admin.clicks(CONFIRM)
    admin.until(lambda: admin.sees("Layer removed") or admin.sees("Failed to remove"))


def _library_row(name: str) -> str:
    return f"//h3[normalize-space()='{name}']/ancestor::div[2]"


def _add_to_library(admin: Person, author: str) -> None:
    admin.writes("#author", author)
    choose_new_category(admin, "Charts")
    admin.clicks("Add to Library")
    admin.until(lambda: not admin.sees("Add to Library"))
    admin.settles()
