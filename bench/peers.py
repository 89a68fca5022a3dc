"""The other servers: how each is had, started over the plain table, and asked."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL

from bench.databases import TABLE, connection_values
from bench.installing import find_program, install_martin, install_python
from bench.processes import Launch, run_program

WORKERS = 2
MOST_ITEMS = 10_000
_PYGEOAPI = "0.24.0"
_TIPG = "1.6.1"
_MARTIN = "1.14.0"


@dataclass(frozen=True)
class Peer:
    """A server beside which SamSyn is measured."""

    name: str
    version: str | None
    """The version that is installed; None where the program that is found tells it."""
    launch: Callable[[URL, int, Path], Launch]
    """From the database, a port and a folder for its files; installs or finds it first.

    Raises UnavailableError, ProgramError.
    """
    items: str = ""
    """The path of the items, empty where it serves none."""
    tile: str = ""
    """The path of a tile, with `{z}`, `{x}` and `{y}`; empty where it serves none."""


def _socket_url(database: URL, *, in_host: bool = False) -> str:
    """Return a URL for drivers other than psycopg, which write a Unix socket's folder as a
    parameter, or (`in_host`) quoted in place of the host."""
    values = {name: quote(value, safe="") for name, value in connection_values(database).items()}
    user = values["user"] + (f":{values['password']}" if "password" in values else "")
    host, name, port = values.get("host", "127.0.0.1"), values["dbname"], values["port"]
    if in_host or not host.startswith("%2F"):
        return f"postgresql://{user}@{host}:{port}/{name}"
    return f"postgresql://{user}@/{name}?host={host}&port={port}"


def _pygeoapi(database: URL, port: int, folder: Path) -> Launch:
    programs = install_python(
        "pygeoapi", f"pygeoapi=={_PYGEOAPI}", "gunicorn>=23", "psycopg2-binary", "geoalchemy2"
    )
    config, openapi = folder / "pygeoapi.yml", folder / "pygeoapi-openapi.yml"
    config.write_text(json.dumps(_pygeoapi_config(database, port)))  # JSON is YAML
    environment = {"PYGEOAPI_CONFIG": str(config), "PYGEOAPI_OPENAPI": str(openapi)}
    generate: list[str | Path] = [
        programs / "pygeoapi",
        "openapi",
        "generate",
        config,
        "--output-file",
        openapi,
    ]
    run_program(generate, environment)
    served = ["-w", str(WORKERS), "-k", "gthread", "--threads", "4", "--timeout", "120"]
    address = ["-b", f"127.0.0.1:{port}", "pygeoapi.flask_app:APP"]
    return Launch([str(programs / "gunicorn"), *served, *address], environment, folder)


def _pygeoapi_config(database: URL, port: int) -> dict[str, object]:
    values = connection_values(database)
    provider = {
        "type": "feature",
        "name": "PostgreSQL",
        "data": {**values, "password": values.get("password", ""), "search_path": ["public"]},
        "id_field": "id",
        "table": TABLE,
        "geom_field": "geom",
        "count": False,
    }
    link = {"type": "text/html", "rel": "about", "title": "x", "href": "https://example.org/"}
    contact = {"name": "x", "url": "https://example.org/"}
    return {
        "server": {
            "bind": {"host": "127.0.0.1", "port": port},
            "url": f"http://127.0.0.1:{port}",
            "mimetype": "application/json; charset=UTF-8",
            "encoding": "utf-8",
            "languages": ["en-US"],
            "limits": {"default_items": 10, "max_items": MOST_ITEMS},
            "map": {"url": "https://example.org/{z}/{x}/{y}.png", "attribution": "x"},
        },
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": {
                "title": "x",
                "description": "x",
                "keywords": ["x"],
                "keywords_type": "theme",
                "terms_of_service": "x",
                "url": "https://example.org/",
            },
            "license": contact,
            "provider": contact,
            "contact": contact,
        },
        "resources": {
            TABLE: {
                "type": "collection",
                "title": TABLE,
                "description": "x",
                "keywords": ["x"],
                "links": [link],
                "extents": {"spatial": {"bbox": [-180, -90, 180, 90]}},
                "providers": [provider],
            }
        },
    }


def _tipg(database: URL, port: int, folder: Path) -> Launch:
    programs = install_python("tipg", f"tipg=={_TIPG}", "uvicorn[standard]")
    served = ["--workers", str(WORKERS), "--no-access-log", "--port", str(port)]
    environment = {
        "DATABASE_URL": _socket_url(database, in_host=True),
        "TIPG_MAX_FEATURES_PER_QUERY": str(MOST_ITEMS),
    }
    return Launch([str(programs / "uvicorn"), "tipg.main:app", *served], environment, folder)


def _featureserv(database: URL, port: int, folder: Path) -> Launch:
    program = find_program("pg_featureserv")
    environment = {
        "DATABASE_URL": _socket_url(database),
        "PGFS_SERVER_HTTPHOST": "127.0.0.1",
        "PGFS_SERVER_HTTPPORT": str(port),
        "PGFS_SERVER_WRITETIMEOUTSEC": "120",
        "PGFS_PAGING_LIMITMAX": str(MOST_ITEMS),
        "GOMAXPROCS": str(WORKERS),
    }
    return Launch([str(program)], environment, folder, "/index.json")


def _tileserv(database: URL, port: int, folder: Path) -> Launch:
    program = find_program("pg_tileserv")
    environment = {
        "DATABASE_URL": _socket_url(database),
        "TS_HTTPHOST": "127.0.0.1",
        "TS_HTTPPORT": str(port),
        "TS_DBTIMEOUT": "120",
        "GOMAXPROCS": str(WORKERS),
    }
    return Launch([str(program)], environment, folder, "/index.json")


def _martin(cache: int, database: URL, port: int, folder: Path) -> Launch:
    command = [str(install_martin(_MARTIN)), "--listen-addresses", f"127.0.0.1:{port}"]
    options = ["--workers", str(WORKERS), "--cache-size", str(cache)]
    return Launch([*command, *options, _socket_url(database)], {}, folder, "/health")


PEERS = (
    Peer("pygeoapi", _PYGEOAPI, _pygeoapi, f"/collections/{TABLE}/items"),
    Peer(
        "tipg",
        _TIPG,
        _tipg,
        f"/collections/public.{TABLE}/items",
        f"/collections/public.{TABLE}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}",
    ),
    Peer("pg_featureserv", None, _featureserv, f"/collections/public.{TABLE}/items"),
    Peer("pg_tileserv", None, _tileserv, tile=f"/public.{TABLE}/{{z}}/{{x}}/{{y}}.pbf"),
    Peer(
        "martin",
        _MARTIN,
        partial(_martin, 0),
        tile=f"/{TABLE}/{{z}}/{{x}}/{{y}}",
    ),
    Peer(
        "martin+cache",
        _MARTIN,
        partial(_martin, 512),
        tile=f"/{TABLE}/{{z}}/{{x}}/{{y}}",
    ),
)
"""`martin+cache` keeps tiles in memory; for tiles that are asked for the first time it must not."""
