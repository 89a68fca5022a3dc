"""The address of the database that commands work on."""

from collections.abc import Iterator
from contextlib import contextmanager

from samsyn_model.cluster.private_cluster import private_cluster
from samsyn_model.cluster.waiting import wait_for_database
from samsyn_model.settings import get_settings


@contextmanager
def database_address(*, keeps_running: bool = False) -> Iterator[str]:
    """Yield the URL of the database that commands work on; a private cluster runs meanwhile.

    If it `keeps_running`, it is started again should it die. One that is configured is waited for
    while it starts.
    """
    settings = get_settings()
    if settings.database_url:
        wait_for_database(settings.database_url, settings.database_wait)
        yield settings.database_url
    else:
        with private_cluster(keeps_running=keeps_running) as url:
            yield url
