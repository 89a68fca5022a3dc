"""The errors, independent of HTTP; `samsyn_provider.http.problems` gives the statuses."""

import uuid
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Fault:
    """One thing wrong with an input: where (a JSON pointer or a parameter's name), and what."""

    pointer: str
    detail: str


class SamsynError(Exception):
    """Base of all errors that are reported to clients; `detail` is one readable sentence."""

    def __init__(self, detail: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = faults


class InvalidParameterError(SamsynError):
    """A query parameter is unknown, malformed or missing."""


class InvalidBodyError(SamsynError):
    """A request body can be read but breaks a rule; `faults` names each member."""


class MalformedBodyError(SamsynError):
    """A request body cannot be read at all."""


class BodyTimeoutError(SamsynError):
    """A request body did not arrive in its time."""


class CredentialsError(SamsynError):
    """Credentials are absent where some are needed, or are not valid."""


class ExpiredSessionError(CredentialsError):
    """A session of Clerk was valid, and has expired."""


class PermissionDeniedError(SamsynError):
    """The principal may see the resource but not do this with it."""


class NotFoundError(SamsynError):
    """There is no such resource, or the principal may not know of it."""


class GoneError(NotFoundError):
    """There is no such feature at this moment, but there is one in the history of the layer.

    `layer_id` and `feature_id` say which; `latest` is when its last version began; `has_own_time`
    whether the features of the layer have a time of their own.
    """

    def __init__(
        self,
        detail: str,
        *,
        layer_id: uuid.UUID,
        feature_id: int,
        latest: datetime,
        has_own_time: bool,
    ) -> None:
        super().__init__(detail)
        self.layer_id = layer_id
        self.feature_id = feature_id
        self.latest = latest
        self.has_own_time = has_own_time


class HistoryPrunedError(NotFoundError):
    """What a layer was then is not kept any more: its history begins at `begins_at`."""

    def __init__(self, detail: str, begins_at: datetime) -> None:
        super().__init__(detail)
        self.begins_at = begins_at


class NoSuchProcessError(NotFoundError):
    """There is no such process."""


class NoSuchJobError(NotFoundError):
    """There is no such job, or it is somebody else's."""


class ResultNotReadyError(NotFoundError):
    """The job has no results, or none yet."""


class ConflictError(SamsynError):
    """The request contradicts the present state."""


class PreconditionFailedError(SamsynError):
    """The resource has changed since the client read it."""


class NotAcceptableError(SamsynError):
    """None of the media types that the client accepts can be given."""


class UnsupportedMediaTypeError(SamsynError):
    """The body's media type cannot be read here."""


class TooLargeError(SamsynError):
    """The body is larger than the server takes."""


class RangeNotSatisfiableError(SamsynError):
    """No byte of the requested range is in the file, which has `size` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"The file has {size:,} bytes, none of which is in this range.")
        self.size = size


class LimitReachedError(InvalidBodyError):
    """There are as many of these already as the server's settings allow."""


class TooManyRequestsError(SamsynError):
    """The caller does this too often.

    `retry_after` is in seconds; `policy` is an item of the header RateLimit-Policy.
    """

    def __init__(self, detail: str, *, retry_after: int, policy: str) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.policy = policy


class StatementTimeoutError(SamsynError):
    """The database stopped a statement that ran too long."""


class ClientGoneError(SamsynError):
    """The client has closed its connection before the response: nobody reads this error."""


class DatabaseUnavailableError(SamsynError):
    """The database cannot be reached or used."""


class EventsUnavailableError(SamsynError):
    """Events are not sent at the moment."""


class StorageFullError(SamsynError):
    """A temporary file cannot be written: the disk is full."""


class RemoteServerError(SamsynError):
    """Another server, which was asked for somebody, has not responded as it should."""


class RemoteTooLargeError(RemoteServerError):
    """Another server has sent more than is read."""


class RemoteTimeoutError(RemoteServerError):
    """Another server has not responded in time."""


class NotConfiguredError(SamsynError):
    """This needs a setting that the server does not have."""


class UnusableRasterError(SamsynError):
    """A raster cannot be drawn, or not as it was asked for."""


class TilerUnavailableError(SamsynError):
    """The raster tiler cannot be reached, or has ended in the middle of a request."""


class StorageUnavailableError(SamsynError):
    """The storage of files cannot be reached or used."""


class DatabaseSetupError(SamsynError):
    """The database lacks something that SamSyn needs: PostGIS, a right, a migration."""


class UnreadableFileError(MalformedBodyError):
    """A file to import cannot be read, or ends halfway."""


class UnstorableFeatureError(InvalidBodyError):
    """A feature among many cannot be stored; `detail` says which and why."""
