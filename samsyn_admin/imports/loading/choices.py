"""What the user of an import chooses."""

import uuid
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_admin.layers.index_checks import MAX_INDEXES

Mode = Literal["create", "append", "replace", "update"]
Colormap = Literal[
    "viridis",
    "plasma",
    "inferno",
    "magma",
    "terrain",
    "blues",
    "reds",
    "greens",
    "greys",
    "rdylgn",
    "spectral",
    "coolwarm",
    "bwr",
]
"""Those that the web application offers."""


class LayerChoice(BaseModel):
    """A layer of the file to import, under its name there, and what it becomes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    name: str | None = Field(None, min_length=1, max_length=255)
    crs: str | None = None


class ImportChoices(BaseModel):
    """How a file is read, and into what.

    Without `layers` all that have geometries are imported. `create` makes a layer of each of
    them. The other modes write one of them into the vector layer `layer_id`: `append` adds its
    features, `replace` makes them the layer's content with the fewest changes, `update` changes
    the features whose property `key` has the same value. A CRS of a layer goes before `crs`. With
    `skip_faulty` features that cannot be stored are left out, and values that cannot are null;
    without it one of them fails the import.

    Of rasters `nodata` is the value that stands for none, `colormap` and `rescale` are how they are
    drawn, `categorical` whether values are classes, of which none are in between; with `series`
    rasters of one name and several times become one layer. `replace` gives the layer another one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: list[LayerChoice] | None = Field(None, min_length=1)
    name: str | None = Field(None, min_length=1, max_length=255)
    """The name of a new layer, instead of the file's; of several layers, what theirs begin with."""
    crs: str | None = None
    encoding: str | None = None
    x: str | None = None
    y: str | None = None
    wkt: str | None = None
    decimal: Literal[".", ","] | None = None
    time_field: str | None = None
    index: tuple[str, ...] = Field((), max_length=MAX_INDEXES)
    mode: Mode = "create"
    layer_id: uuid.UUID | None = None
    key: str | None = None
    skip_faulty: bool = False
    nodata: float | None = None
    colormap: Colormap | None = None
    rescale: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    categorical: bool | None = None
    series: bool = True
    visibility: Literal["private", "public"] = "private"
    is_global: bool = False

    @model_validator(mode="after")
    def _suits_mode(self) -> Self:
        if self.mode == "create":
            if self.layer_id is not None:
                raise ValueError("A new layer has no layer_id: choose another mode.")
        else:
            if self.layer_id is None:
                raise ValueError(f"To {self.mode}, choose a layer: layer_id.")
            if self.name or self.is_global or self.time_field or self.index:
                raise ValueError("An existing layer keeps its name, visibility and fields.")
            if self.mode != "replace" and self.layers is not None and len(self.layers) > 1:
                raise ValueError("Choose one layer of the file to write into a layer.")
        if self.mode == "update" and not self.key:
            raise ValueError("To update, choose the property that identifies features: key.")
        if self.rescale is not None and not self.rescale[0] < self.rescale[1]:
            raise ValueError("rescale is the lowest value and the highest one.")
        if self.key and self.mode not in {"update", "replace"}:
            raise ValueError("A key is used to update or to replace.")
        return self

    @property
    def of_rasters(self) -> set[str]:
        """The choices that only rasters have."""
        names = {"nodata", "colormap", "rescale", "categorical"}
        return {name for name in names if getattr(self, name) is not None}

    @property
    def of_features(self) -> set[str]:
        """The choices that only features have."""
        names = ("encoding", "x", "y", "wkt", "decimal", "time_field", "index", "key")
        return {name for name in names if getattr(self, name)}

    def read_options(self) -> ReadOptions:
        """Return the choices of how to read the file."""
        return ReadOptions(
            encoding=self.encoding, x=self.x, y=self.y, wkt=self.wkt, decimal=self.decimal
        )

    def crs_of(self, source: str) -> str | None:
        """Return the CRS chosen for a layer of the file, None for that which the file names."""
        for layer in self.layers or ():
            if layer.source == source and layer.crs is not None:
                return layer.crs
        return self.crs
