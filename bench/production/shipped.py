"""The shipped configurations of nginx and PgBouncer, with addresses and paths of this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from samsyn_model.settings import CHECKOUT

NGINX = CHECKOUT / "deploy" / "nginx"
"""The configuration that operators get."""
PGBOUNCER = CHECKOUT / "deploy" / "pgbouncer" / "pgbouncer.ini"
_TEMPORARY = ("client", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Site:
    """What differs from site to site, and from container to process."""

    port: int
    plain_port: int
    """The port without TLS."""
    server: str
    """The address of the server, as a URL; with a `resolver` it may be a name."""
    certificate: Path
    key: Path
    frontend: Path
    resolver: str | None = None
    clerk: str | None = None
    """The host from which the frontend loads Clerk's script."""


def write_nginx(site: Site, folder: Path) -> Path:
    """Write the shipped files for this site, and return the one to start nginx with.

    The folder is for nginx's own files too: `access.log` and `cache`.
    """
    (folder / "cache").mkdir()
    changes = {
        "nginx.conf": {
            "listen 8080 ": f"listen 127.0.0.1:{site.plain_port} ",
            "listen 8443 ": f"listen 127.0.0.1:{site.port} ",
            "/var/cache/nginx/samsyn": f"{folder}/cache/samsyn",
            "root /srv/frontend;": f"root {site.frontend};",
            "/dev/stdout": f"{folder}/access.log",
            "pid /tmp/": f"pid {folder}/",
            **{f" /tmp/{kind}_temp": f" {folder}/{kind}_temp" for kind in _TEMPORARY},
        },
        "site.conf": {
            "http://app:8000": site.server,
            "/etc/nginx/certificates/fullchain.pem": str(site.certificate),
            "/etc/nginx/certificates/privkey.pem": str(site.key),
            **({"resolver 127.0.0.11": f"resolver {site.resolver}"} if site.resolver else {}),
            **({"https://clerk.example.org": f"https://{site.clerk}"} if site.clerk else {}),
        },
    }
    for file in NGINX.glob("*.conf"):
        text = replaced(file.read_text(), changes.get(file.name, {}))
        (folder / file.name).write_text(text)
    return folder / "nginx.conf"


def write_pgbouncer(
    folder: Path, *, port: int, database: str, password: str, keeps_prepared: bool
) -> Path:
    """Write the shipped configuration for the database at `database`, as `host=… port=…`.

    Versions before 1.21 do not know the setting by which prepared statements are kept.
    """
    users = folder / "userlist.txt"
    users.write_text(f'"samsyn" "{password}"\n')
    text = replaced(
        PGBOUNCER.read_text(),
        {
            "host=db port=5432": database,
            "listen_addr = 0.0.0.0": "listen_addr = 127.0.0.1",
            "listen_port = 6432": f"listen_port = {port}",
            "/etc/pgbouncer/userlist.txt": str(users),
            **({} if keeps_prepared else {"max_prepared_statements = 200\n": ""}),
        },
    )
    file = folder / "pgbouncer.ini"
    file.write_text(text)
    return file


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """Return a text with what is changed in it; each has to be there once."""
    for shipped, used in changes.items():
        if text.count(shipped) != 1:
            raise ValueError(f"{shipped!r} is there {text.count(shipped)} times")
        text = text.replace(shipped, used)
    return text
