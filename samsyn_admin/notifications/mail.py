"""Digests as e-mail: a text and the same as HTML, with headers that no name can add to."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, parseaddr
from html import escape
from typing import Any

from samsyn_admin.notifications.digest import Digest

_FREQUENCIES = {"immediate": "as it happens", "hourly": "once an hour", "daily": "once a day"}
_UNSUBSCRIBE = "List-Unsubscribe"
_MORE = "There is more than this mail has: open the map to see it."
_LATE = "Mail could not be sent for more than a week: what happened before may be missing."


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a mail has beside its digest."""

    sender: str
    """An address, with or without a name."""
    recipient: str
    message_id: str
    """The same whenever the same digest is sent again."""
    unsubscribe: str
    """The address that ends the subscription."""
    frequency: str
    time: datetime
    is_late: bool = False
    """Whether notices may have been removed before they were told."""


class _Policy(EmailPolicy):
    """Headers as they are usual, but for addresses for programs, which decode no encoded words."""

    def fold(self, name: str, value: Any) -> str:
        """Return a header as lines of text."""
        if name == _UNSUBSCRIBE:
            return f"{name}: {value}{self.linesep}"
        return str(super().fold(name, value))

    def fold_binary(self, name: str, value: Any) -> bytes:
        """Return a header as lines of bytes."""
        if name == _UNSUBSCRIBE:
            return self.fold(name, value).encode("ascii")
        return super().fold_binary(name, value)


_POLICY = _Policy(linesep=SMTP.linesep)


class AddressError(ValueError):
    """A recipient's address is none that mail is sent to."""


def mail_of(digest: Digest, envelope: Envelope) -> EmailMessage:
    """Return the mail; raises AddressError."""
    message = EmailMessage(policy=_POLICY)
    name, address = parseaddr(envelope.sender)
    message["From"] = Address(name, addr_spec=address)
    message["To"] = recipient_address(envelope.recipient)
    message["Subject"] = digest.title
    message["Date"] = format_datetime(envelope.time)
    message["Message-ID"] = f"<{envelope.message_id}@{address.rpartition('@')[2]}>"
    message[_UNSUBSCRIBE] = f"<{envelope.unsubscribe}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join(_text(digest, envelope)) + "\n", cte="quoted-printable")
    html = "\n".join(_html(digest, envelope)) + "\n"
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def recipient_address(text: str) -> Address:
    """Return an address of one person; raises AddressError."""
    try:
        address = Address(addr_spec=text)
    except (ValueError, IndexError) as error:  # as of the parser of the library
        raise AddressError("This is not an address of mail.") from error
    if not address.username or not address.domain or not text.isprintable() or " " in text:
        raise AddressError("This is not an address of mail.")
    return address


def _remarks(digest: Digest, envelope: Envelope) -> Iterator[str]:
    if not digest.is_whole:
        yield _MORE
    if envelope.is_late:
        yield _LATE


def _reason(envelope: Envelope) -> str:
    return f"You are told {_FREQUENCIES[envelope.frequency]}, since you follow this."


def _text(digest: Digest, envelope: Envelope) -> Iterator[str]:
    yield from (digest.title, digest.href, "")
    for group in digest.groups:
        yield group.heading
        yield from (f"  - {line.text}" for line in group.lines)
        if group.href != digest.href:
            yield f"    {group.href}"
        yield ""
    for remark in _remarks(digest, envelope):
        yield from (remark, "")
    yield from ("-- ", _reason(envelope), f"Unsubscribe: {envelope.unsubscribe}")


def _html(digest: Digest, envelope: Envelope) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><meta charset="utf-8"><body>'
    yield f"<h1>{_link(digest.href, digest.title)}</h1>"
    for group in digest.groups:
        yield f"<h2>{_link(group.href, group.heading)}</h2><ul>"
        yield from (f"<li>{escape(line.text)}</li>" for line in group.lines)
        yield "</ul>"
    yield from (f"<p>{escape(remark)}</p>" for remark in _remarks(digest, envelope))
    yield f"<p>{_reason(envelope)} {_link(envelope.unsubscribe, 'Unsubscribe')}</p>"
    yield "</body></html>"


def _link(href: str, text: str) -> str:
    return f'<a href="{escape(href)}">{escape(text)}</a>'
