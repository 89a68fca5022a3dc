"""The bodies of requests that put features back."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from samsyn_model.origin import MAX_MESSAGE

_MAX_NUMBER = 10**18


def _as_text(value: object) -> object:
    """Return the number of a change set as a text."""
    return str(value) if type(value) is int and abs(value) < _MAX_NUMBER else value


class FeatureUndo(BaseModel):
    """The body of a request that takes a change set back."""

    model_config = ConfigDict(extra="forbid", strict=True)

    message: Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE)] | None = None
    """What it is done for, in a sentence for people."""


class FeatureRestore(FeatureUndo):
    """The body of a request that makes features again what they were."""

    as_of: Annotated[str, BeforeValidator(_as_text), Field(max_length=100)]
    """A moment (RFC 3339), or the number of a change set of the layer: what was after it."""
