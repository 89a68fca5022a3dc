"""Where a private cluster lies and which system user runs it.

PostgreSQL refuses to run as root, so root lets another user run it; where that user cannot reach
the checkout, the cluster lies in a separate folder under /var/lib/samsyn, which the text file
`cluster` in the checkout's `.samsyn` names.
"""

import hashlib
import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from samsyn_model.cluster.file_lock import FileLock

ELSEWHERE = Path("/var/lib/samsyn")
_SYSTEM_USERS = ("postgres", "nobody")


class ClusterError(Exception):
    """The private cluster is not available; the text states why, and the remedy."""


@dataclass(frozen=True)
class Location:
    """A folder for one cluster, and the system user that owns it and runs the server."""

    folder: Path
    uid: int

    def lock(self, name: str) -> FileLock:
        """Return the lock `name` of this cluster, not yet held."""
        path = self.folder / f"{name}.lock"
        lock = FileLock(path)
        chown_from_root(path, self.uid)
        return lock

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server logs."""
        return self.folder / "server.log"

    @cached_property
    def as_server_user(self) -> dict[str, Any]:
        """Arguments of `subprocess.run` that make a command run as the server's user."""
        if os.geteuid() == self.uid:
            return {}
        try:
            user = pwd.getpwuid(self.uid)
        except KeyError:
            raise ClusterError(f"{self.folder} belongs to the unknown user {self.uid}.") from None
        groups = os.getgrouplist(user.pw_name, user.pw_gid)
        return {"user": self.uid, "group": user.pw_gid, "extra_groups": groups}

    @property
    def socket_folder(self) -> Path:
        """The folder of the server's socket: short, as a socket's path may have 107 bytes."""
        return Path("/tmp") / f"samsyn-{self.uid}-{_digest(self.folder)}"  # noqa: S108 - checked

    def make_socket_folder(self) -> None:
        """Make the folder that only the server's user may enter.

        Raises ClusterError when something else is there.
        """
        folder = self.socket_folder
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            status = folder.lstat()
            private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077
            if not private or status.st_uid not in {self.uid, os.geteuid()}:
                raise ClusterError(
                    f"{folder} is in the way: it belongs to another user or is open to others."
                ) from None
        chown_from_root(folder, self.uid)


def find_location(home: Path, elsewhere: Path = ELSEWHERE) -> Location:
    """Return where the cluster of `home` (a checkout's `.samsyn`) lies, made if it is new.

    Raises ClusterError when no user can run it there, OSError when a folder cannot be made.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    chown_from_root(home, home.parent.stat().st_uid)
    folder = _existing_folder(home, elsewhere) or _new_folder(home, elsewhere)
    if folder.stat().st_uid == 0:
        chown_from_root(folder, _server_uid(home))
    location = Location(folder, folder.stat().st_uid)
    if os.geteuid() not in {0, location.uid}:
        raise ClusterError(f"{folder} belongs to another user: run this command as that user.")
    if not _can_enter(folder, location.uid):
        raise ClusterError(
            f"{folder} cannot be reached by {_name(location.uid)}, who runs its database:"
            " open the folders above it to that user (chmod o+x)."
        )
    return location


def _existing_folder(home: Path, elsewhere: Path) -> Path | None:
    if (home / "postgres").is_dir():
        return home / "postgres"
    try:
        folder = Path((home / "cluster").read_text().strip())
        owner = Path((folder / "home").read_text().strip())
    except FileNotFoundError:
        return None
    if folder.parent != elsewhere:
        return None
    if owner != home:
        if owner.exists():  # this checkout is a copy of that one, which keeps its database
            return None
        (folder / "home").write_text(f"{home}\n")  # this checkout was moved
    return folder


def _new_folder(home: Path, elsewhere: Path) -> Path:
    if _can_enter(home, _server_uid(home)):
        folder = home / "postgres"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder
    if not elsewhere.is_dir():
        elsewhere.mkdir(parents=True, exist_ok=True)
        elsewhere.chmod(0o755)  # independent of the umask
    folder = elsewhere / _digest(home)
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "home").write_text(f"{home}\n")
    (home / "cluster").write_text(f"{folder}\n")
    return folder


def _server_uid(home: Path) -> int:
    """Return the user of a new cluster: this one; for root the checkout's owner or `postgres`."""
    if os.geteuid() != 0:
        return os.geteuid()
    known = {user.pw_name: user.pw_uid for user in pwd.getpwall()}
    owner = home.stat().st_uid
    if owner != 0 and owner in known.values():
        return owner
    for name in _SYSTEM_USERS:
        if name in known:
            return known[name]
    raise ClusterError(
        "PostgreSQL does not run as root, and there is no user `postgres`:"
        " run this command as an ordinary user, or set DATABASE_URL."
    )


def _can_enter(folder: Path, uid: int) -> bool:
    as_user = Location(folder, uid).as_server_user
    return subprocess.run(["/usr/bin/test", "-x", folder], check=False, **as_user).returncode == 0  # noqa: S603


def chown_from_root(path: Path, uid: int) -> None:
    """As root, give to a user what root made for that user; else do nothing."""
    if os.geteuid() == 0 and path.lstat().st_uid == 0:
        os.chown(path, uid, -1, follow_symlinks=False)


def _name(uid: int) -> str:
    return pwd.getpwuid(uid).pw_name


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
