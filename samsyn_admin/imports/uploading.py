"""Uploads of a request: the row of an import and its files, both or neither."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import request

from samsyn_admin.http.responses import iso
from samsyn_admin.imports import records
from samsyn_admin.imports.uploads import (
    MAX_FILES,
    StoredFile,
    checked_name,
    limited,
    occurs_twice,
    storage_key,
    storage_prefix,
    store_parts,
    too_large,
)
from samsyn_model.database.transactions import writing
from samsyn_model.errors import ConflictError, InvalidBodyError, MalformedBodyError, NotFoundError
from samsyn_provider.http.deployment import deployment, public_url

if TYPE_CHECKING:
    from samsyn_admin.storage.storage import Storage

_PRESIGNED = 3600  # seconds for an upload to begin


@dataclass(frozen=True, slots=True)
class BegunUpload:
    """An import whose file is to follow, and how to send it: a member of the response."""

    import_id: uuid.UUID
    upload: dict[str, Any]


def storage() -> "Storage":
    """Return the storage of this process."""
    from samsyn_admin.storage.storage import open_storage  # noqa: PLC0415 - starts threads

    return open_storage(deployment().settings)


def receive_parts(user_id: uuid.UUID) -> uuid.UUID:
    """Store the files of the request, which is multipart/form-data; return the import's id.

    Raises LimitReachedError, TooLargeError, MalformedBodyError, InvalidBodyError and the errors of
    the storage; then nothing is left.
    """
    boundary = request.mimetype_params.get("boundary")
    if not boundary:
        raise MalformedBodyError("The Content-Type names no boundary between the parts.")
    settings = deployment().settings
    maximum = _allow(settings.max_upload)
    with writing(deployment().engine) as connection:
        length = request.content_length or 0
        import_id = records.begin_import(connection, settings, user_id, name="upload", size=length)
    try:
        files = store_parts(storage(), import_id, request.stream, boundary, maximum)
        _set_files(user_id, import_id, lambda _: files)
    except BaseException:
        _discard(import_id)
        raise
    return import_id


def begin_file(user_id: uuid.UUID, name: str, size: int) -> BegunUpload:
    """Begin an import of one file; raises LimitReachedError and TooLargeError."""
    settings = deployment().settings
    if size > settings.max_upload:
        raise too_large(settings.max_upload)
    import_id = uuid.uuid4()
    key = storage_key(import_id, 0, name)
    file = {"name": name, "key": key, "size": size, "is_announced": True}
    url, expires_at = storage().presigned_put(key, _PRESIGNED), None
    if url is not None:
        expires_at = iso(datetime.now(UTC) + timedelta(seconds=_PRESIGNED))
    else:
        url = f"{public_url()}/api/v1/imports/{import_id}/files/{quote(name)}"
    with writing(deployment().engine) as connection:
        shown = records.upload_name([file])
        records.begin_import(
            *(connection, settings, user_id),
            name=shown,
            size=size,
            files=[file],
            import_id=import_id,
        )
    upload: dict[str, Any] = {"method": "PUT", "url": url, "headers": {}, "expires_at": expires_at}
    return BegunUpload(import_id, upload)


def receive_file(user_id: uuid.UUID, import_id: uuid.UUID, name: str) -> None:
    """Store the body of the request as a file of an import that is being uploaded.

    It replaces one of the same name. Raises ConflictError where the import is further already,
    InvalidBodyError where another size was announced, and the errors of `receive_parts`.
    """
    name, settings = checked_name(name), deployment().settings
    maximum = _allow(settings.max_upload)
    length = request.content_length
    with writing(deployment().engine) as connection:
        row = _uploading(connection, user_id, import_id)
        files: list[StoredFile] = row.files
        own = next((file for file in files if file["name"] == name), None)
        others = sum(file["size"] for file in files if file is not own)
        maximum = min(maximum, settings.max_upload - others)
        if own is None:
            if len(files) >= MAX_FILES:
                raise InvalidBodyError(f"An import has at most {MAX_FILES:,} files.")
            if any(file["name"].casefold() == name.casefold() for file in files):
                raise occurs_twice(name)
            own = {"name": name, "key": storage_key(import_id, len(files), name)}
            files = [*files, own]
        if (length or 0) > maximum:
            raise too_large(settings.max_upload)
        if not own.get("is_announced"):
            own["size"] = length or 0
        elif length not in {None, own["size"]}:
            raise _other_size(own)
        records.set_files(connection, settings, row, files, "uploading")
    if own.get("is_announced"):
        body = limited(request.stream, min(maximum, own["size"]), _other_size(own))
        if storage().write(own["key"], body) != own["size"]:
            raise _other_size(own)
        return
    size = storage().write(own["key"], limited(request.stream, maximum))
    if size != length:
        _set_files(user_id, import_id, lambda files: _with_size(files, name, size), "uploading")


def complete(user_id: uuid.UUID, import_id: uuid.UUID) -> None:
    """Note that the files of an import have arrived; raises ConflictError where they have not."""
    settings = deployment().settings
    with writing(deployment().engine) as connection:
        row = _uploading(connection, user_id, import_id)
        if not row.files:
            raise ConflictError("The upload has not ended.")
        for file in row.files:
            try:
                size = storage().size(file["key"])
            except NotFoundError:
                raise ConflictError(f"The file {file['name']} has not arrived yet.") from None
            if size != file["size"]:
                raise ConflictError(
                    f"{size:,} bytes of the file {file['name']} have arrived, and"
                    f" {file['size']:,} were announced: upload it again."
                )
        records.set_files(connection, settings, row, row.files)


def remove_files(import_id: uuid.UUID) -> None:
    """Remove the files of an import."""
    storage().delete(storage_prefix(import_id))


def _allow(maximum: int) -> int:
    """Let the request have a body of so many bytes; raises TooLargeError where it has more."""
    # a multipart body has headers beside the files
    request.max_content_length = maximum + 16 * 1024**2
    if (request.content_length or 0) > request.max_content_length:
        raise too_large(maximum)
    return maximum


def _uploading(connection: Any, user_id: uuid.UUID, import_id: uuid.UUID) -> Any:
    row = records.find_import(connection, user_id, import_id, lock=True)
    if row.status != "uploading":
        raise ConflictError("The files of this import have arrived: begin another import.")
    return row


def _other_size(file: StoredFile) -> InvalidBodyError:
    return InvalidBodyError(
        f"The file {file['name']} was announced with {file['size']:,} bytes, and has more or fewer:"
        " send it whole, or begin another import."
    )


def _set_files(
    user_id: uuid.UUID,
    import_id: uuid.UUID,
    change: Callable[[list[StoredFile]], list[StoredFile]],
    status: str = "uploaded",
) -> None:
    with writing(deployment().engine) as connection:
        row = _uploading(connection, user_id, import_id)
        records.set_files(connection, deployment().settings, row, change(row.files), status)


def _with_size(files: list[StoredFile], name: str, size: int) -> list[StoredFile]:
    return [{**file, "size": size} if file["name"] == name else file for file in files]


def _discard(import_id: uuid.UUID) -> None:
    """Leave nothing of an upload that has failed."""
    try:
        remove_files(import_id)
    finally:
        with writing(deployment().engine) as connection:
            records.delete_record(connection, import_id)
