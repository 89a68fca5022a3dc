"""A database that is still starting is waited for."""

import sys
from time import monotonic, sleep

import psycopg

from samsyn_model.database.engine import database_url
from samsyn_model.database.watchdog import PROBE_TIMEOUT

_PAUSE = 0.5  # seconds


def wait_for_database(url: str, seconds: int) -> None:
    """Wait until the database at `url` takes a connection, for so many seconds at most.

    Who uses it after that in vain is told why. Raises DatabaseSetupError for what is no URL.
    """
    address = database_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    deadline, is_told = monotonic() + seconds, False
    while monotonic() < deadline:
        try:
            psycopg.connect(address, connect_timeout=PROBE_TIMEOUT).close()
        except psycopg.OperationalError:
            if not is_told:
                sys.stderr.write(f"samsyn: waiting for the database, up to {seconds} s\n")
                is_told = True
            sleep(_PAUSE)
        else:
            return
