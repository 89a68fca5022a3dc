"""Files that would make GDAL publish other files, or fetch addresses."""

import sqlite3
import stat
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import shapely

from tests.source_files import (
    collection,
    edit_geopackage,
    feature,
    table,
    write_ogr,
    write_parquet,
)

Make = Callable[[Path, Path, str], Path]
"""Writes a file into a folder that uses a file of the server, or an address; returns its path."""

_VRT = """<OGRVRTDataSource><OGRVRTLayer name="{name}"><SrcDataSource>{source}</SrcDataSource>
<GeometryField encoding="PointFromColumns" x="x" y="y"/></OGRVRTLayer></OGRVRTDataSource>"""
_KML = """<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}</Document></kml>"""
_LINK = "<NetworkLink><Link><href>{}</href></Link></NetworkLink>"
_GML = """<gml:FeatureCollection xmlns:gml="http://www.opengis.net/gml" xmlns:p="p"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="p {}"><gml:featureMember>
<p:a><p:geom><gml:Point><gml:coordinates>1,2</gml:coordinates></gml:Point></p:geom></p:a>
</gml:featureMember></gml:FeatureCollection>"""
_PLACE = "<Placemark><name>{}</name><Point><coordinates>1,2</coordinates></Point></Placemark>"


def _vrt(canary: Path) -> str:
    return _VRT.format(name=canary.stem, source=canary)


def _vrt_of_address(url: str) -> str:
    return _VRT.format(name="a", source=f"/vsicurl/{url}/a.csv")


def _text(name: str, content: Callable[[Path, str], str], encoding: str = "utf-8") -> Make:
    def make(folder: Path, canary: Path, url: str) -> Path:
        path = folder / name
        path.write_text(content(canary, url), encoding=encoding)
        return path

    return make


def _zip(name: str, parts: Callable[[Path, str], dict[str, str | bytes]]) -> Make:
    def make(folder: Path, canary: Path, url: str) -> Path:
        path = folder / name
        with zipfile.ZipFile(path, "w") as archive:
            for part, content in parts(canary, url).items():
                archive.writestr(part, content)
        return path

    return make


def _zipped_links(folder: Path, canary: Path, _: str) -> Path:
    """Write a zip file whose parts are symbolic links."""
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for suffix in ("shp", "shx", "dbf"):
            part = zipfile.ZipInfo(f"a.{suffix}")
            part.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(part, str(canary.with_suffix(f".{suffix}")))
    return path


def _zipped_shapefile(prefix: str) -> Make:
    """Return what writes a zip file that names the parts of a shapefile outside of it."""

    def make(folder: Path, canary: Path, _: str) -> Path:
        path = folder / "a.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for suffix in ("shp", "shx", "dbf"):
                part = canary.with_suffix(f".{suffix}")
                name = f"{prefix}{canary.parent}/{part.name}".replace("//", "/")
                archive.writestr(name, part.read_bytes())
        return path

    return make


def _geopackage(*statements: Callable[[Path, str], str]) -> Make:
    def make(folder: Path, canary: Path, url: str) -> Path:
        content = table([shapely.box(1, 1, 2, 2)])
        path = write_ogr(folder / "a.gpkg", content, "GPKG")
        edit_geopackage(path, *((statement(canary, url), ()) for statement in statements))
        return path

    return make


def _view(sql: str) -> tuple[Callable[[Path, str], str], ...]:
    """Return the statements that make a view the layer of a GeoPackage."""
    return (
        lambda canary, url: f"CREATE VIEW v AS {sql.format(canary=canary, url=url)}",
        *_ONLY_LAYER,
    )


_ONLY_LAYER: tuple[Callable[[Path, str], str], ...] = (
    lambda *_: "DELETE FROM gpkg_contents",
    lambda *_: "DELETE FROM gpkg_geometry_columns",
    lambda *_: (
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id)"
        " VALUES ('v', 'features', 'v', 4326)"
    ),
    lambda *_: "INSERT INTO gpkg_geometry_columns VALUES ('v', 'geom', 'POLYGON', 4326, 0, 0)",
)


def _virtual(module: str) -> Callable[[Path, str], str]:
    """Return the text that makes a virtual table the layer of a database."""
    sql = f"CREATE VIRTUAL TABLE v USING {module}"
    return lambda canary, url: (
        "INSERT INTO sqlite_master VALUES ('table', 'v', 'v', 0,"
        f" '{sql.format(canary=canary, url=url).replace(chr(39), chr(39) * 2)}')"
    )


def _sqlite(module: str) -> Make:
    """Return what writes a database of SQLite that is no GeoPackage, with a virtual table."""

    def make(folder: Path, canary: Path, url: str) -> Path:
        path = folder / "a.sqlite"
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE a (b)")
            database.execute("PRAGMA writable_schema = on")
            database.execute(_virtual(module)(canary, url))
            database.commit()
        return path

    return make


def _parquet(crs: Callable[[Path, str], Any]) -> Make:
    def make(folder: Path, canary: Path, url: str) -> Path:
        content = table([shapely.Point(1, 2)])
        return write_parquet(folder / "a.parquet", content, {"crs": crs(canary, url)})

    return make


def _crs(name: Callable[[Path, str], str]) -> Make:
    def content(canary: Path, url: str) -> str:
        member = {"type": "name", "properties": {"name": name(canary, url)}}
        return collection(feature({}), crs=member)

    return _text("a.geojson", content)


_GRID = "+proj=longlat +nadgrids={} +type=crs"
_ENTITY = '<!DOCTYPE kml [<!ENTITY x SYSTEM "{}">]>'

FILES: dict[str, Make] = {
    "a VRT as KML": _text("a.kml", lambda canary, _: _vrt(canary)),
    "a VRT of an address": _text("a.kml", lambda _, url: _vrt_of_address(url)),
    "a VRT that mentions KML": _text("a.xml", lambda canary, _: f"<!-- <kml -->{_vrt(canary)}"),
    "a VRT in UTF-16": _text(
        "a.kml", lambda c, _: f'<?xml version="1.0" encoding="utf-16"?>{_vrt(c)}', "utf-16"
    ),
    "a union of VRT": _text(
        "a.kml",
        lambda canary, _: (
            '<OGRVRTDataSource><OGRVRTUnionLayer name="u">'
            f"{_vrt(canary)[18:-19]}</OGRVRTUnionLayer></OGRVRTDataSource>"
        ),
    ),
    "a VRT within KML": _text("a.kml", lambda canary, _: _KML.format(_vrt(canary))),
    "a VRT as shapefile": _zip("a.zip", lambda canary, _: {"a.shp": _vrt(canary)}),
    "a VRT as zipped KML": _zip("a.zip", lambda canary, _: {"a.kml": _vrt(canary)}),
    "a VRT as KMZ": _zip("a.kmz", lambda canary, _: {"doc.kml": _vrt(canary)}),
    "a VRT of an address as KMZ": _zip("a.kmz", lambda _, url: {"doc.kml": _vrt_of_address(url)}),
    "a VRT as CSV": _text("a.csv", lambda canary, _: _vrt(canary)),
    "a VRT as GeoJSON": _text("a.geojson", lambda canary, _: _vrt(canary)),
    "a WFS": _text(
        "a.kml", lambda _, url: f"<OGRWFSDataSource><URL>{url}/</URL></OGRWFSDataSource>"
    ),
    "the capabilities of a WFS": _text(
        "a.kml",
        lambda _, url: (
            '<WFS_Capabilities version="1.0.0"><Capability><Request><GetFeature><DCPType><HTTP><Get'
            f' onlineResource="{url}"/></HTTP></DCPType></GetFeature></Request></Capability>'
            "<FeatureTypeList><FeatureType><Name>a</Name></FeatureType></FeatureTypeList>"
            "</WFS_Capabilities>"
        ),
    ),
    "the name of a WFS": _text("a.txt", lambda _, url: f"WFS:{url}"),
    "a WMS": _text(
        "a.kml",
        lambda _, url: (
            f'<GDAL_WMS><Service name="WMS"><ServerUrl>{url}</ServerUrl></Service></GDAL_WMS>'
        ),
    ),
    "GML with a schema": _text("a.kml", lambda _, url: _GML.format(f"{url}/a.xsd")),
    "GeoRSS": _text(
        "a.kml",
        lambda _, url: f'<rss version="2.0"><channel><link>{url}</link></channel></rss>',
    ),
    "an entity of a file": _text(
        "a.kml",
        lambda canary, _: _ENTITY.format(canary.as_uri()) + _KML.format(_PLACE.format("&x;")),
    ),
    "an entity of an address": _text(
        "a.kml", lambda _, url: _ENTITY.format(url) + _KML.format(_PLACE.format("&x;"))
    ),
    "a parameter entity": _text(
        "a.kml",
        lambda _, url: (
            f'<!DOCTYPE kml [<!ENTITY % x SYSTEM "{url}"> %x;]>{_KML.format(_PLACE.format("a"))}'
        ),
    ),
    "a document type": _text(
        "a.kml",
        lambda _, url: f'<!DOCTYPE kml SYSTEM "{url}/kml.dtd">{_KML.format(_PLACE.format("a"))}',
    ),
    "entities in an entity": _text(
        "a.kml",
        lambda *_: (
            "<!DOCTYPE kml [<!ENTITY a0 'ha'>"
            + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))
            + f"]>{_KML.format(_PLACE.format('&a9;'))}"
        ),
    ),
    "a link to an address": _text("a.kml", lambda _, url: _KML.format(_LINK.format(url))),
    "a link to a file": _text("a.kml", lambda canary, _: _KML.format(_LINK.format(canary))),
    "a link in KMZ": _zip(
        "a.kmz",
        lambda canary, url: {"doc.kml": _KML.format(_LINK.format(canary) + _LINK.format(url))},
    ),
    "links in a zip file": _zipped_links,
    "an absolute path in a zip file": _zipped_shapefile("/"),
    "a path out of a zip file": _zipped_shapefile("../../../../../../../.."),
    "a view of a file": _geopackage(*_view("SELECT readfile('{canary}') AS geom")),
    "a view that geocodes": _geopackage(
        *_view("SELECT 1 AS fid, ogr_geocode('{url}', 'geometry') AS geom")
    ),
    "a view of another database": _geopackage(
        *_view("SELECT gdal_get_pixel_value('{canary}', 1, 'georef', 1, 1) AS geom")
    ),
    "a virtual table of a file": _geopackage(
        *_ONLY_LAYER,
        lambda *_: "PRAGMA writable_schema = on",
        _virtual("VirtualOGR('{canary}')"),
    ),
    "a database with a virtual table": _sqlite("VirtualText('{canary}')"),
    "a database with a virtual shapefile": _sqlite("VirtualShape('{canary}', UTF-8, 4326)"),
    "a GeoPackage with the CRS of an address": _geopackage(
        lambda _, url: (
            f"UPDATE gpkg_spatial_ref_sys SET definition = '{url}', organization = 'NONE',"
            " organization_coordsys_id = 77 WHERE srs_id = 4326"
        )
    ),
    "the CRS of an address": _crs(lambda _, url: f"{url}/crs"),
    "a CRS of a file": _crs(lambda canary, _: f"+init={canary}:canary"),
    "a grid at an address": _crs(lambda _, url: _GRID.format(f"{url}/a.tif")),
    "a grid in a file": _parquet(lambda canary, _: _GRID.format(canary)),
    "the CRS of an address in Parquet": _parquet(lambda _, url: f"{url}/crs"),
    "features on other pages": _text(
        "a.json",
        lambda _, url: (
            '{"geometryType": "esriGeometryPoint", "exceededTransferLimit": true, "features":'
            f' [{{"attributes": {{}}, "geometry": {{"x": 1, "y": 2}}}}], "next": "{url}"}}'
        ),
    ),
}
