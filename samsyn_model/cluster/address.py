"""The address of the database that commands work on."""

from collections.abc import Iterator
from contextlib import contextmanager

from samsyn_model.cluster.private_cluster import private_cluster
from samsyn_model.cluster.waiting import wait_for_database
from samsyn_model.settings import get_settings


@contextmanager
def database_address(*, keeps_running: bool = False, may_be_pooled: bool = False) -> Iterator[str]:
    """Yield the URL of the database that commands work on; a private cluster runs meanwhile.

    If it `keeps_running`, it is started again should it die. One that is configured is waited for
    while it starts. Where there is a pooler, the URL leads past it unless it `may_be_pooled`.
    """
    settings = get_settings()
    configured_url = settings.database_url
    if not may_be_pooled:
        configured_url = settings.direct_database_url or configured_url
    if configured_url:
        wait_for_database(configured_url, settings.database_wait)
        yield configured_url
    else:
        with private_cluster(keeps_running=keeps_running) as url:
            yield url
