"""nginx as it is shipped, in front of SamSyn."""

import re
from collections.abc import Mapping
from pathlib import Path

from bench.installing import find_program
from bench.processes import Launch
from samsyn_model.settings import CHECKOUT

NAME = "nginx"
_SHIPPED = CHECKOUT / "deploy" / "nginx"
_CHANGES: Mapping[str, str] = {
    r" /tmp/": " {folder}/",  # first: the folder may be below it
    r"listen 8080 .*": "listen 127.0.0.1:{plain};",
    r"listen 8443 ssl http2 ": "listen 127.0.0.1:{port} ",
    r"(?m)^ssl_certificate.*": "",
    r"(?m)^limit_req zone.*": "",
    r"(?m)^resolver .*": "",
    r"http://app:8000": "{upstream}",
    r"/var/cache/nginx/samsyn": "{folder}/cache",
    r"root /srv/frontend": "root {folder}",
    r"access_log /dev/stdout samsyn": "access_log off",
}
"""What differs from what is shipped, as regular expressions: addresses and paths; and there are
neither TLS, a log nor limits of requests, as the compared servers have none."""


def launch_nginx(upstream: str, ports: tuple[int, int], folder: Path) -> Launch:
    """Return the launch of nginx in front of a server, at the first of two ports. A folder is for
    its files. Raises UnavailableError."""
    program = find_program(NAME)
    port, plain = ports
    folder = folder / NAME
    folder.mkdir()
    values = {"port": port, "plain": plain, "upstream": upstream, "folder": folder}
    for file in _SHIPPED.glob("*.conf"):
        text = file.read_text()
        for pattern, replacement in _CHANGES.items():
            text = re.sub(pattern, replacement.format(**values), text)
        (folder / file.name).write_text(text)
    configuration = ["-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"]
    command = [program, *configuration, "-g", "daemon off; user root;"]
    return Launch([str(word) for word in command], {}, folder, "/api/health")
