"""How many files a process may have open: sockets of clients are files."""

import resource


def allow_files(number: int) -> None:
    """Let this process, and those that it begins, open so many files, as far as the system allows
    it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))
