"""All services of docker-compose.prod.yml as processes of this machine, and PgBouncer.

Commands, settings and times to stop are those of the file; only addresses and paths are others. The
server has instances at addresses of their own, as containers have, with one name for all.
"""

import os
import secrets
import ssl
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL

from bench.databases import written
from bench.processes import StartError, free_port, run_program
from bench.production.certificates import write_certificates
from bench.production.compose import Service, image_environment, shipped_services
from bench.production.names import answering_names
from bench.production.others import start_database, start_nginx, start_pooler, start_redis
from bench.production.poolers import NEWER
from bench.production.programs import Program, listens
from bench.subject import SAMSYN
from samsyn_model.settings import CHECKOUT

PUBLISHABLE_KEY = "pk_test_Y2xlcmsuZXhhbXBsZS5vcmck"
_PORTS = ("nginx", "plain", "app", "tiler", "redis", "db", "pooler", "names")
_KEPT = ("PATH", "HOME", "LANG", "XDG_CACHE_HOME")


@dataclass(frozen=True)
class Wishes:
    """What of an arrangement may be chosen."""

    pooler: str = NEWER
    instances: int = 2
    settings: Mapping[str, str] = field(default_factory=dict)
    """What an operator has in `.env`."""
    frontend: Callable[[str], Path] | None = None
    """Returns the web frontend's pages, built for this address."""
    clerk: str | None = None
    """The host of Clerk in the publishable key that they are built with."""
    code: Path = CHECKOUT
    """The checkout that the services run at first."""


class Arrangement:
    """The running services."""

    def __init__(self, folder: Path, wishes: Wishes) -> None:
        self.folder, self.wishes, self._code = folder, wishes, wishes.code
        self.ports = {name: free_port() for name in _PORTS}
        self.url = f"https://127.0.0.1:{self.ports['nginx']}"
        self.plain_url = f"http://127.0.0.1:{self.ports['plain']}"
        for name in ("storage", "sockets", "tmp", "logs", "nginx", "pooler", "db", "backups/wal"):
            (folder / name).mkdir(parents=True)
        self.authority = write_certificates(folder)
        """The file of the authority that clients have to trust."""
        self.services: dict[str, Service] = shipped_services(
            PUBLIC_URL=self.url,
            CLERK_PUBLISHABLE_KEY=PUBLISHABLE_KEY,
            CERTIFICATES=str(folder),
            **wishes.settings,
        )
        self.password = secrets.token_urlsafe()
        self._secrets = {"TITILER_SECRET": secrets.token_urlsafe()}
        self.programs: dict[str, Program] = {}
        """By service; instances of the server are `app 1` and so on."""
        self.addresses = [f"127.0.0.{number + 2}" for number in range(wishes.instances)]

    def database_at(self, port: str) -> URL:
        """Return the database by the port of this name: its own, or that of the pooler."""
        return URL.create(
            "postgresql+psycopg",
            username="samsyn",
            password=self.password,
            host="127.0.0.1",
            port=self.ports[port],
            database="samsyn",
        )

    @property
    def database(self) -> URL:
        """The database itself."""
        return self.database_at("db")

    @property
    def pooler(self) -> URL:
        """The console of PgBouncer."""
        return self.database_at("pooler").set(database="pgbouncer")

    @property
    def tls(self) -> ssl.SSLContext:
        """What clients trust."""
        return ssl.create_default_context(cafile=str(self.authority))

    @property
    def instances(self) -> list[str]:
        """The names of the server's instances."""
        return [f"app {number + 1}" for number in range(len(self.addresses))]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run all services until the block ends."""
        with ExitStack() as stack:
            stack.callback(self._stop)
            stack.enter_context(answering_names(self.ports["names"], {"app": self.addresses}))
            start_database(self)
            start_redis(self)
            self.upgrade()
            self.samsyn("db", "settings", "--apply")
            start_pooler(self)
            with ThreadPoolExecutor() as starting:  # as Compose does
                list(starting.map(self.start, ("live", "tiler", "worker", *self.instances)))
            start_nginx(self)
            yield

    def _stop(self) -> None:
        for name in reversed(list(self.programs)):
            with suppress(StartError):
                self.programs[name].stop()

    def here(self, text: str) -> str:
        """Return a text of the file with the addresses and paths of this machine."""
        for there, here in (
            ("/var/lib/samsyn", str(self.folder / "storage")),
            ("/run/samsyn", str(self.folder / "sockets")),
            ("/backups", str(self.folder / "backups")),
            ("redis:6379", f"127.0.0.1:{self.ports['redis']}"),
            ("tiler:8080", f"127.0.0.1:{self.ports['tiler']}"),
        ):
            text = text.replace(there, here)
        return text

    def environment(self, service: str, **more: str) -> dict[str, str]:
        """Return the environment of a service: what the file and the image have."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        settings = {**image_environment(), **self.wishes.settings}
        settings |= self.services[service].environment
        here = {name: self.here(value) for name, value in settings.items()}
        code = {} if self._code == CHECKOUT else {"PYTHONPATH": str(self._code)}
        return {**kept, **here, **code, "TMPDIR": str(self.folder / "tmp"), **more}

    def _samsyn_environment(self, service: str) -> dict[str, str]:
        """Return the environment of a service of the image, with the values of its secrets."""
        if service == "tiler":
            return self.environment(service, **self._secrets)
        direct = written(self.database)
        database = written(self.database_at("pooler")) if service == "app" else direct
        urls = {"DATABASE_URL": database, "DIRECT_DATABASE_URL": direct}
        return self.environment(service, **urls, **self._secrets)

    def _program(self, name: str, service: str, command: list[str | Path], **more: str) -> Program:
        program = Program(
            name,
            command,
            {**self._samsyn_environment(service), **more},
            self._code,
            self.folder / "logs" / name.replace(" ", "-"),
            self.services[service].stop_seconds,
        )
        self.programs[name] = program
        return program

    def start(self, name: str) -> None:
        """Start a service of the image, or an instance of the server; wait until it is ready."""
        if name in self.instances:
            address = self.addresses[self.instances.index(name)]
            port = self.ports["app"]
            program = self._program(
                name, "app", [SAMSYN, *self.services["app"].command], HOST=address, PORT=str(port)
            )
            program.start(lambda: _is_healthy(f"http://{address}:{port}/api/health"))
            return
        command: list[str | Path] = [self.here(word) for word in self.services[name].command]
        if name == "tiler":
            port = self.ports["tiler"]
            here = {"0.0.0.0": "127.0.0.1", "8080": str(port)}
            command = [here.get(str(word), word) for word in command]
            self._program(name, name, [SAMSYN, *command]).start(lambda: listens("127.0.0.1", port))
        elif name == "live":
            door = self.folder / "sockets" / "live.sock"
            before = door.stat().st_ino if door.exists() else None
            self._program(name, name, [SAMSYN, *command]).start(
                lambda: door.exists() and door.stat().st_ino != before
            )
        else:
            self._program(name, name, [SAMSYN, *command]).start(lambda: True)

    def stop(self, name: str) -> float:
        """Stop a service as `docker stop` does; return the seconds that it took."""
        return self.programs[name].stop()

    def replace(self, name: str) -> float:
        """Start a service beside the one that is there, then stop that; return the seconds that
        this took."""
        before = self.programs[name]
        self.start(name)
        return before.stop()

    def upgrade(self, code: Path | None = None) -> None:
        """Run the migrations, as the service `migrate`, with this code, which what is started after
        it runs too."""
        self._code = code or self._code
        run_program(
            [SAMSYN, *self.services["migrate"].command], self._samsyn_environment("migrate")
        )

    def samsyn(self, *arguments: str | Path) -> str:
        """Run a command of the image on the database, and return what it printed."""
        return run_program([SAMSYN, *arguments], self._samsyn_environment("migrate")).strip()


def _is_healthy(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as response:
        return bool(response.status == 200)
    time.sleep(0.1)
    return False


@contextmanager
def arranged(wishes: Wishes) -> Iterator[Arrangement]:
    """Run the arrangement in a folder of its own until the block ends; nothing of it stays."""
    with tempfile.TemporaryDirectory(prefix="samsyn-production-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # root lets another user run the database
        arrangement = Arrangement(folder, wishes)
        with arrangement.running():
            yield arrangement
