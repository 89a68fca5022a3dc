"""What Clerk knows of a user, fetched when the user signs in; accounts deleted there too."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

import psycopg
from sqlalchemy import Engine

from samsyn_model.errors import SamsynError
from samsyn_model.identity.clerk_api import ClerkAPI, ClerkAPIError
from samsyn_model.identity.clerk_events import apply_update, parse_user
from samsyn_model.settings import Settings

LOGGER = logging.getLogger(__name__)

WAIT = 2.0
"""Seconds that a request waits for Clerk at most; what comes later is stored all the same."""

INTERVAL = 3600.0
"""Seconds after which a user is fetched again who still has no name or no email."""

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 600.0
"""Seconds without requests to Clerk after one that failed, and after many in a row."""

AT_ONCE = 4
"""How many fetches may be under way, and how many deletions."""

MAX_REMEMBERED = 10_000

_NOT_DELETED = "%s is not deleted at Clerk (%s): delete the user there."


class ClerkUsers:
    """The users of the Clerk instance whose secret key is in the settings; one a process.

    Safe for threads. Without a secret key nothing happens. Raises ValueError as `ClerkAPI`.
    """

    def __init__(self, settings: Settings) -> None:
        key = settings.clerk_secret_key
        self._api = None if key is None else ClerkAPI(settings.clerk_api_url, key)
        self._lock = threading.Lock()
        self._fetches = threading.BoundedSemaphore(AT_ONCE)
        self._deletions = threading.BoundedSemaphore(AT_ONCE)
        self._next_fetch: OrderedDict[str, float] = OrderedDict()
        self._paused_until = 0.0
        self._failures = 0

    def fetch(self, engine: Engine, clerk_id: str) -> bool:
        """Fetch a user from Clerk, and store it as an event of the webhook would be.

        The caller holds no connection. Returns whether the user has been stored meanwhile: no
        longer than WAIT, and not at all where Clerk was asked lately or has failed lately.
        """
        api = self._api
        if api is None or not self._take_turn(clerk_id):
            return False
        return _wait_for(lambda: self._fetch(api, engine, clerk_id))

    def delete(self, clerk_id: str) -> None:
        """Delete a user at Clerk, waiting no longer than WAIT.

        A failure is logged, and so is a deletion that is not sent because too many are under way.
        """
        api = self._api
        if api is None:
            return
        if self._deletions.acquire(blocking=False):
            _wait_for(lambda: self._delete(api, clerk_id))
        else:
            LOGGER.warning(_NOT_DELETED, clerk_id, "too many deletions are under way")

    def _take_turn(self, clerk_id: str) -> bool:
        """Return whether a user may be fetched now; the caller fetches it then."""
        now = monotonic()
        with self._lock:
            if now < max(self._paused_until, self._next_fetch.get(clerk_id, 0)):
                return False
            if not self._fetches.acquire(blocking=False):
                return False
            self._next_fetch[clerk_id] = now + INTERVAL
            self._next_fetch.move_to_end(clerk_id)
            if len(self._next_fetch) > MAX_REMEMBERED:
                self._next_fetch.popitem(last=False)
            return True

    def _fetch(self, api: ClerkAPI, engine: Engine, clerk_id: str) -> bool:
        try:
            user = api.read_user(clerk_id)
        except ClerkAPIError as error:
            if error.is_outage:
                self._pause(clerk_id, error)
            else:
                LOGGER.warning("Clerk does not tell of %s: %s.", clerk_id, error)
            return False
        finally:
            self._fetches.release()
        self._failures = 0
        return user is not None and _store(engine, clerk_id, user)

    def _delete(self, api: ClerkAPI, clerk_id: str) -> bool:
        try:
            api.delete_user(clerk_id)
        except ClerkAPIError as error:
            LOGGER.warning(_NOT_DELETED, clerk_id, error)
            return False
        finally:
            self._deletions.release()
        return True

    def _pause(self, clerk_id: str, error: ClerkAPIError) -> None:
        with self._lock:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures, 16))
            pause = max(pause, error.retry_after)
            self._failures += 1
            self._paused_until = max(self._paused_until, monotonic() + pause)
            self._next_fetch.pop(clerk_id, None)
        LOGGER.warning("Clerk cannot be asked about users: %s; a pause of %d s.", error, pause)


def _store(engine: Engine, clerk_id: str, user: object) -> bool:
    try:
        update = parse_user(user)
        if update.clerk_id != clerk_id:
            raise ValueError("another id")
    except ValueError as error:  # pydantic's text has personal data in it
        LOGGER.warning("Clerk describes %s in another shape: %s.", clerk_id, type(error).__name__)
        return False
    try:
        apply_update(engine, update)
    except (SamsynError, psycopg.Error) as error:  # whose text has personal data in it, too
        reason = type(error).__name__
        LOGGER.warning("What Clerk knows of %s cannot be stored: %s.", clerk_id, reason)
        return False
    return True


def _wait_for(work: Callable[[], bool]) -> bool:
    """Return the value of a function that runs in a thread, False where it takes longer."""
    values: list[bool] = []
    # In a thread, because no timeout of sockets limits the lookup of a host's name.
    thread = threading.Thread(target=lambda: values.append(work()), name="Clerk", daemon=True)
    thread.start()
    thread.join(WAIT)
    return any(values)
