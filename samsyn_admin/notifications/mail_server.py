"""The mail server of SMTP_HOST: mail is given to it, or why it was not taken."""

import smtplib
import socket
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.utils import parseaddr
from time import monotonic

from samsyn_model.settings import Settings

_SECONDS = 20.0  # for each answer
_PAUSE = 60.0  # seconds without mail after the server was away, or has not taken any


class MailRefusedError(Exception):
    """The mail will never be taken; the text says why, in words of ours."""


class MailFailedError(Exception):
    """The mail was not taken, and may be another time; the text says why, in words of ours."""


class MailServer:
    """Sends mail, each by a connection of its own; safe for threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sender = parseaddr(settings.mail_from or "")[1]
        self._away_until = 0.0

    @property
    def takes_mail(self) -> bool:
        """Whether there is a server, which has not been found away in the last minute."""
        return self._settings.smtp_host is not None and monotonic() >= self._away_until

    def send(self, message: EmailMessage, recipient: str) -> None:
        """Give a mail to the server, which has taken it when this returns.

        Raises MailRefusedError where the recipient or the content is refused for good,
        MailFailedError for everything else.
        """
        try:
            connection = self._connect()
        except smtplib.SMTPAuthenticationError as error:
            raise self._away(f"The mail server refuses SMTP_USER ({error.smtp_code}).") from error
        except ssl.SSLError as error:
            raise self._away("The mail server's certificate or TLS is not valid.") from error
        except smtplib.SMTPNotSupportedError as error:
            raise self._away("The mail server does not offer STARTTLS, or no log-in.") from error
        except (smtplib.SMTPException, OSError) as error:
            raise self._away("The mail server cannot be reached.") from error
        try:
            connection.send_message(message, self._sender, [recipient])
        except smtplib.SMTPRecipientsRefused as error:
            ((code, _),) = error.recipients.values()
            raise _refusal(code, "The mail server refuses your address") from error
        except smtplib.SMTPDataError as error:
            raise _refusal(error.smtp_code, "The mail server refuses the mail") from error
        except smtplib.SMTPNotSupportedError as error:
            raise MailRefusedError(
                "The mail server takes no addresses such as yours, which is not ASCII."
            ) from error
        except smtplib.SMTPSenderRefused as error:
            raise self._away(f"The mail server refuses MAIL_FROM ({error.smtp_code}).") from error
        except (smtplib.SMTPException, OSError) as error:
            raise self._away("The connection to the mail server broke off.") from error
        finally:
            with suppress(smtplib.SMTPException, OSError):  # what was taken is taken
                connection.quit()
            connection.close()

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        assert settings.smtp_host is not None  # noqa: S101 - else there is nothing to be sent
        place = {"host": settings.smtp_host, "port": settings.smtp_port}
        own = {"local_hostname": socket.gethostname(), "timeout": _SECONDS}
        connection: smtplib.SMTP
        if settings.smtp_tls == "tls":
            context = ssl.create_default_context()
            connection = smtplib.SMTP_SSL(**place, **own, context=context)  # type: ignore[arg-type]
        else:
            connection = smtplib.SMTP(**place, **own)  # type: ignore[arg-type]
        try:
            if settings.smtp_tls == "starttls":
                connection.starttls(context=ssl.create_default_context())
            if settings.smtp_user:
                password = settings.smtp_password
                connection.login(
                    settings.smtp_user, password.get_secret_value() if password else ""
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _away(self, reason: str) -> MailFailedError:
        """Return the error of a server that is not asked again for a while."""
        self._away_until = monotonic() + _PAUSE
        return MailFailedError(reason)


def _refusal(code: int, what: str) -> Exception:
    if code >= 500:
        return MailRefusedError(f"{what} ({code}).")
    return MailFailedError(f"{what} for now ({code}).")
