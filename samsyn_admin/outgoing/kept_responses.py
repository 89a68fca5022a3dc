"""Responses of other servers, kept for all workers: in Redis where it is configured, else in the
database, so many and no more; there too while Redis is away."""

import hashlib
import logging
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import SamsynError
from samsyn_model.metrics.counting import count_lookup
from samsyn_model.settings import Settings

LOGGER = logging.getLogger(__name__)

MAX_KEPT = 20_000
"""Responses in the database."""
MAX_SIZE = 4 * 1024 * 1024
"""Bytes of a response that is kept."""
_TIDY = 0.02  # how often what is too old or too much is looked for
_SELECT = """
SELECT content, fresh_until FROM kept_responses
WHERE key = %(key)s AND kept_until > clock_timestamp()"""
_UPSERT = """
INSERT INTO kept_responses (key, content, fresh_until, kept_until)
VALUES (%(key)s, %(content)s, %(fresh_until)s, %(kept_until)s)
ON CONFLICT (key) DO UPDATE
SET content = EXCLUDED.content, fresh_until = EXCLUDED.fresh_until,
    kept_until = EXCLUDED.kept_until"""
_DELETE = """
DELETE FROM kept_responses
WHERE kept_until < clock_timestamp() OR key IN (
    SELECT key FROM kept_responses ORDER BY kept_until DESC OFFSET %(most)s)"""


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """The body of a response, and until when it needs not be asked for again."""

    content: bytes
    fresh_until: datetime

    @property
    def is_fresh(self) -> bool:
        """Whether it needs not be asked for again."""
        return datetime.now(UTC) < self.fresh_until


class KeptResponses:
    """Kept responses by a text that names the request; a failure to keep one fails no request.

    Raises ValueError when REDIS_URL is not a Redis URL.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._engine = engine
        self._redis = None
        if settings.redis_url:
            # slow to import, and optional
            from samsyn_provider.cache.redis_cache import RedisCache  # noqa: PLC0415

            self._redis = RedisCache(settings.redis_url, "response")

    def get(self, name: str) -> KeptResponse | None:
        """Return what is kept of a request, also if it is no longer fresh; None for nothing."""
        found = self._find(name)
        count_lookup("kept responses", is_hit=found is not None)
        return found

    def _find(self, name: str) -> KeptResponse | None:
        if self._redis is not None:
            stored = self._redis.get(_key(name).hex())
            if stored is not None:
                moment, _, content = stored.partition(b"\n")
                return KeptResponse(content, datetime.fromtimestamp(float(moment), UTC))
        with reading(self._engine) as connection:
            row = run(connection, _SELECT, {"key": _key(name)}, binary=True).one_or_none()
        return None if row is None else KeptResponse(row.content, row.fresh_until)

    def put(self, name: str, content: bytes, fresh: timedelta, kept: timedelta) -> None:
        """Keep a response: it is fresh so long, and there so long where it is needed after that."""
        if len(content) > MAX_SIZE:
            return
        until = datetime.now(UTC) + fresh
        if self._redis is not None:
            stored = f"{until.timestamp()}\n".encode() + content
            if self._redis.put(_key(name).hex(), stored, kept):
                return
        values = {"key": _key(name), "content": content, "fresh_until": until}
        try:
            with writing(self._engine) as connection:
                run(connection, _UPSERT, {**values, "kept_until": datetime.now(UTC) + kept})
                if random.random() < _TIDY:  # noqa: S311 - not for a secret
                    run(connection, _DELETE, {"most": MAX_KEPT})
        except SamsynError as error:
            LOGGER.warning("A response cannot be kept: %s", error)


def _key(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
