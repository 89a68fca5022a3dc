"""The processes of a running `samsyn serve`, and the files that they have open."""

from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from tests.clients.samsyn_server import Server


def main_process(server: Server) -> int:
    """Return the number of the process that starts the workers."""
    variable = f"PORT={urlsplit(server.url).port}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_serve = b"samsyn\0serve" in (folder / "cmdline").read_bytes()
            if is_serve and variable in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    numbers = set(found)
    return next(number for number in found if _parent(number) not in numbers)


def workers(server: Server) -> list[int]:
    """Return the numbers of the processes that serve."""
    main = main_process(server)
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    return [int(number) for number in children]


def open_files(process: int) -> int:
    """Return how many files and sockets a process has open; 0 when it has ended."""
    with suppress(OSError):
        return len(list(Path(f"/proc/{process}/fd").iterdir()))
    return 0


def _parent(process: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
