"""The raster tiler that `samsyn serve` has beside it, begun when the first GeoTIFF is asked for."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from samsyn_admin.companions.companion import Program, beside
from samsyn_admin.companions.sockets import listening
from samsyn_model.settings import Settings

SOCKET = "unix:"
"""What the address of a tiler at a Unix socket begins with; its path follows."""
_BACKLOG = 128
_PAUSES = (0.1, 0.5)  # seconds: people wait for its tiles


@contextmanager
def tiler_beside(settings: Settings) -> Iterator[Settings]:
    """Yield the settings with the address and the secret of a tiler, where they name none.

    Who connects while it does not run waits until it does.
    """
    if settings.titiler_url is not None:
        yield settings
        return
    with listening("samsyn-tiler-", _BACKLOG) as (path, listener):
        secret = secrets.token_urlsafe(32)
        program = Program(
            "The raster tiler",
            "samsyn_admin.tiler.process",
            {"TITILER_SECRET": secret},
            listener,
            pauses=_PAUSES,
        )
        changed = {"titiler_url": f"{SOCKET}{path}", "titiler_secret": SecretStr(secret)}
        with beside(program):
            yield settings.model_copy(update=changed)
