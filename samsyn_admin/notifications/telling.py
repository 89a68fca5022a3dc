"""Followers are told: digests that are due, made and sent, each noted once it is sent."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from time import monotonic

from sqlalchemy import Engine

from samsyn_admin.notifications.digest import Digest
from samsyn_admin.notifications.links import Links
from samsyn_admin.notifications.mail import AddressError, Envelope, mail_of
from samsyn_admin.notifications.mail_server import MailFailedError, MailRefusedError, MailServer
from samsyn_admin.notifications.reading import read_digest
from samsyn_admin.notifications.unsubscribing import unsubscribe_address
from samsyn_admin.notifications.webhooks import WebhookFailedError, send_digest
from samsyn_admin.outgoing.requests import Outgoing
from samsyn_model.database.engine import open_engine
from samsyn_model.database.transactions import reading, snapshot, writing
from samsyn_model.errors import (
    DatabaseUnavailableError,
    InvalidParameterError,
    NotConfiguredError,
    RemoteServerError,
    SamsynError,
    TooManyRequestsError,
)
from samsyn_model.settings import Settings
from samsyn_model.subscriptions.deliveries import (
    Delivery,
    claim_delivery,
    end_deliveries,
    note_failure,
    note_told,
)
from samsyn_model.subscriptions.news import note_news

LOGGER = logging.getLogger(__name__)

_LOOK = 5.0  # seconds between two looks for news
_END = 1.0  # seconds that a delivery has to end when all is stopped
_THREADS = 2
"""Deliveries at the same time: a webhook that does not respond holds up no mail."""
_PATIENCE = timedelta(days=1)
"""For which a delivery to a webhook is tried again."""
_KEPT = timedelta(days=7)  # notices
NO_RIGHT = "You may not read this any more."
NO_EMAIL = "Your account has no e-mail address that mail can be sent to."


class Teller:
    """Tells the followers of a database; any number may do it at the same time."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine, self._settings = engine, settings
        self._mail_server, self._outgoing = MailServer(settings), Outgoing(settings)
        self._links = Links.of(settings)
        self._noted = 0

    def look_for_news(self) -> None:
        """Make due what has news since the last look; at first, all that there is."""
        with writing(self._engine) as connection:
            self._noted = note_news(connection, self._noted)

    def tell_next(self) -> bool:
        """Make one delivery that is due, and note its end; return whether there was one."""
        delivery = claim_delivery(
            self._engine,
            has_mail=self._mail_server.takes_mail,
            has_webhooks=self._settings.outgoing,
        )
        if delivery is None:
            return False
        with snapshot(self._engine, self._settings.statement_timeout) as connection:
            digest = read_digest(connection, self._links, delivery)
        if digest is None:
            self._end(delivery, "resting", NO_RIGHT)
        elif not digest.lines:
            self._note_told(delivery, is_sent=False)
        elif delivery.webhook_url is None:
            self._mail(delivery, digest)
        else:
            self._call(delivery, digest)
        return True

    def _mail(self, delivery: Delivery, digest: Digest) -> None:
        try:
            if delivery.email is None:
                raise AddressError(NO_EMAIL)
            message = self._message(delivery, digest, delivery.email)
            self._mail_server.send(message, delivery.email)
        except AddressError:
            self._end(delivery, "failed", NO_EMAIL)
        except MailRefusedError as error:
            self._end(delivery, "failed", str(error))
        except MailFailedError as error:
            LOGGER.warning("mail is not sent: %s", error)
            self._fail(delivery, "Mail cannot be sent at present: it is tried again.")
        else:
            self._note_told(delivery, is_sent=True)

    def _message(self, delivery: Delivery, digest: Digest, recipient: str) -> EmailMessage:
        with reading(self._engine) as connection:
            unsubscribe = unsubscribe_address(
                connection, self._links, delivery.id, delivery.user_id
            )
        envelope = Envelope(
            sender=self._settings.mail_from or "",
            recipient=recipient,
            message_id=delivery.message_id,
            unsubscribe=unsubscribe,
            frequency=delivery.frequency,
            time=delivery.present,
            is_late=_has_failed_for(delivery, _KEPT),
        )
        return mail_of(digest, envelope)

    def _call(self, delivery: Delivery, digest: Digest) -> None:
        url, secret = delivery.webhook_url or "", delivery.webhook_secret or b""
        message = delivery.message_id, delivery.user_id
        try:
            send_digest(self._outgoing, digest, url, secret, message)
        except WebhookFailedError as error:
            if error.is_gone:
                self._end(delivery, "failed", str(error))
            else:
                self._fail(delivery, str(error))
        except (RemoteServerError, InvalidParameterError) as error:
            self._fail(delivery, error.detail)
        except (TooManyRequestsError, NotConfiguredError) as error:
            self._fail(delivery, error.detail)
        else:
            self._note_told(delivery, is_sent=True)

    def _note_told(self, delivery: Delivery, *, is_sent: bool) -> None:
        with writing(self._engine) as connection:
            note_told(connection, delivery, is_sent=is_sent)

    def _fail(self, delivery: Delivery, reason: str) -> None:
        if delivery.webhook_url is not None and _has_failed_for(delivery, _PATIENCE):
            self._end(delivery, "failed", f"For a day every delivery failed. {reason}")
            return
        with writing(self._engine) as connection:
            note_failure(connection, delivery, reason)

    def _end(self, delivery: Delivery, status: str, reason: str) -> None:
        LOGGER.info("subscription %s is %s", delivery.id, status)
        with writing(self._engine) as connection:
            end_deliveries(connection, delivery, status, reason)


class Telling:
    """Threads that tell the followers of a database, until they are stopped."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._engine = open_engine(
            url, statement_timeout=settings.statement_timeout, pool_size=_THREADS + 1
        )
        self._teller = Teller(self._engine, settings)
        self._is_over = threading.Event()
        works = [self._teller.look_for_news, *[self._tell_all] * _THREADS]
        self._threads = [
            threading.Thread(target=self._repeat, args=(work,), name="telling", daemon=True)
            for work in works
        ]

    def start(self) -> None:
        """Begin; the threads end with the process."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after what is being delivered, or after a second: it is made again then."""
        self._is_over.set()
        until = monotonic() + _END
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))
        self._engine.dispose()

    def _repeat(self, work: Callable[[], None]) -> None:
        while not self._is_over.is_set():
            try:
                work()
            except DatabaseUnavailableError as error:
                LOGGER.info("followers are not told: %s", error.detail)
            except SamsynError as error:
                LOGGER.warning("followers are not told: %s", error.detail)
            except Exception:  # the others are told all the same
                LOGGER.exception("a follower is not told")
            self._is_over.wait(_LOOK)

    def _tell_all(self) -> None:
        while not self._is_over.is_set() and self._teller.tell_next():
            pass


def _has_failed_for(delivery: Delivery, time: timedelta) -> bool:
    since = delivery.failing_since
    return since is not None and delivery.present - since > time
