"""The bodies of requests that put features back."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from samsyn_model.origin import MAX_MESSAGE


class FeatureUndo(BaseModel):
    """The body of a request that takes a change set back."""

    model_config = ConfigDict(extra="forbid", strict=True)

    message: Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE)] | None = None
    """What it is done for, in a sentence for people."""


class FeatureRestore(FeatureUndo):
    """The body of a request that makes features again what they were."""

    as_of: Annotated[str, Field(max_length=100)] | Annotated[int, Field(ge=0, lt=10**18)]
    """A moment (RFC 3339), or the number of a change set of the layer: what was after it."""
