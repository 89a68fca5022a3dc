"""nginx with the defaults of Debian's package and one server, or with what is shipped."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.production.shipped import Site, write_nginx
from tests.clients.certificates import self_signed
from tests.clients.samsyn_server import free_port

START_SECONDS = 10
_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    gzip on;
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""
_PROXY = """
server {{
    listen {address};
    location / {{
        proxy_pass {upstream};
        proxy_set_header Host $http_host;
    }}
}}
"""


def proxy_to(upstream: str) -> Callable[[str], str]:
    """Return what `nginx_with` needs for a server that passes all requests on."""
    return lambda address: _PROXY.format(address=address, upstream=upstream)


@contextmanager
def nginx_with(server: Callable[[str], str], folder: Path) -> Iterator[int]:
    """Run nginx until the block ends; yield its port.

    `server` returns the server's block for the address to listen on, `127.0.0.1:PORT`. `folder` is
    for nginx's own files. The test is skipped where there is no nginx.
    """
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(folder=folder, server=server(f"127.0.0.1:{port}"))
    )
    with _running(configuration, port):
        yield port


@dataclass(frozen=True)
class ShippedNginx:
    """A running nginx with the shipped configuration."""

    url: str
    plain_url: str
    """Its address without TLS."""
    certificate: Path
    cache: Path
    log: Path


@contextmanager
def shipped_nginx(upstream: str, folder: Path, frontend: Path) -> Iterator[ShippedNginx]:
    """Run nginx as it is shipped, in front of a server, until the block ends.

    Only addresses and paths are others. The test is skipped where there is no nginx.
    """
    port, plain = free_port(), free_port()
    certificate = self_signed(folder)
    site = Site(port, plain, upstream, certificate, certificate, frontend)
    with _running(write_nginx(site, folder), port, "daemon off; master_process off;"):
        yield ShippedNginx(
            f"https://127.0.0.1:{port}",
            f"http://127.0.0.1:{plain}",
            certificate,
            folder / "cache",
            folder / "access.log",
        )


@contextmanager
def _running(configuration: Path, port: int, directives: str = "") -> Iterator[None]:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("nginx (Debian's nginx-light) is not installed")
    folder = configuration.parent
    log = folder / "log"
    command = [program, "-p", folder, "-e", "stderr", "-c", configuration]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *(["-g", directives] if directives else [])],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(port, process, log)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nginx does not listen; its log:\n{log.read_text()}")
