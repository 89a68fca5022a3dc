"""Request bodies of imports."""

import codecs
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from samsyn_admin.http.request_body import refuse, validated
from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.sources.layer import file_crs
from samsyn_admin.imports.uploads import checked_name
from samsyn_model.errors import Fault, InvalidParameterError

_MAX_CRS = 10_000  # characters: WKT of a CRS
_MAX_TEXT = 255


class ImportCreate(BaseModel):
    """The body of a request that begins an import whose file follows."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=_MAX_TEXT)]
    size: Annotated[int, Field(ge=0)]
    """Bytes of the file."""


class ReadChoices(BaseModel):
    """How a file is read where it does not say so itself, or says it wrongly."""

    model_config = ConfigDict(extra="forbid", strict=True)

    crs: Annotated[str, Field(min_length=1, max_length=_MAX_CRS)] | None = None
    encoding: Annotated[str, Field(min_length=1, max_length=_MAX_TEXT)] | None = None
    x: Annotated[str, Field(min_length=1, max_length=_MAX_TEXT)] | None = None
    y: Annotated[str, Field(min_length=1, max_length=_MAX_TEXT)] | None = None
    wkt: Annotated[str, Field(min_length=1, max_length=_MAX_TEXT)] | None = None
    decimal: Literal[".", ","] | None = None
    nodata: float | None = None


class ImportUndo(BaseModel):
    """The body of a request that takes an import back."""

    model_config = ConfigDict(extra="forbid", strict=True)

    force: bool = False
    """Whether what has not changed since is taken back where something else has."""


def parse_create(body: Any) -> ImportCreate:
    """Return the import that a body begins; raises InvalidBodyError."""
    create = validated(ImportCreate, body)
    return create.model_copy(update={"name": checked_name(create.name)})


def parse_read_choices(body: Any) -> ImportChoices:
    """Return how a file is to be read; raises InvalidBodyError."""
    choices = validated(ReadChoices, body)
    return parse_choices(choices.model_dump(exclude_none=True))


def parse_choices(body: Any) -> ImportChoices:
    """Return the choices of an import.

    Raises InvalidBodyError, also for an encoding or a CRS that is not known, or a CRS that would
    read other files.
    """
    choices = validated(ImportChoices, body)
    faults = []
    if choices.encoding is not None and not _is_encoding(choices.encoding):
        faults.append(Fault("/encoding", "This is not a known encoding, such as UTF-8 or cp1252."))
    named = [("/crs", choices.crs)]
    named += [
        (f"/layers/{number}/crs", layer.crs) for number, layer in enumerate(choices.layers or ())
    ]
    for pointer, crs in named:
        if crs is not None and not _is_crs(crs):
            faults.append(Fault(pointer, "This is not a known CRS, such as EPSG:3006."))
    refuse(faults)
    return choices


def _is_encoding(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        return False


def _is_crs(definition: str) -> bool:
    if len(definition) > _MAX_CRS:
        return False
    try:
        file_crs(definition)
    except InvalidParameterError:
        return False
    return True
