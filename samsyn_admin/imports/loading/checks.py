"""Properties of an imported layer, and what there is to say of its geometries."""

from collections.abc import Collection, Iterator, Mapping

from samsyn_admin.imports.sources.counts import counted
from samsyn_model.errors import InvalidBodyError
from samsyn_model.features.bulk_copy import MAX_CHECKED_POSITIONS, CopiedFeatures
from samsyn_model.settings import get_settings
from samsyn_model.stored_text import is_storable


def geometry_type(counts: Mapping[str, int], declared: str | None) -> str | None:
    """Return a new layer's `geometry_type`: a Multi type admits its single counterpart.

    `counts` has the number of features of each type. The type is None for a mixture, and the
    declared one without features.
    """
    if not counts:
        return declared
    single = {name.removeprefix("Multi") for name in counts}
    if len(single) > 1:
        return None
    return max(counts, key=len)


def geometry_notes(copied: CopiedFeatures, has_geometry: bool) -> Iterator[str]:
    """Yield what the user should know of the geometries copied from a source."""
    if copied.null_count and has_geometry:
        yield counted("{count} {feature has|features have} no geometry.", copied.null_count)
    if copied.invalid_count:
        yield counted(
            "{count} {geometry is|geometries are} not valid (self-intersections, say);"
            " {it was|they were} stored unchanged.",
            copied.invalid_count,
        )
    if copied.unchecked_count:
        yield counted(
            f"{{count}} {{geometry has|geometries have}} more than {MAX_CHECKED_POSITIONS:,}"
            " positions: whether {it is|they are} valid was not checked.",
            copied.unchecked_count,
        )


def check_properties(source: str, names: Collection[str]) -> None:
    """Raise InvalidBodyError where a source has more properties than a layer may have, or one whose
    name cannot be stored."""
    most = get_settings().max_properties
    if len(names) > most:
        raise InvalidBodyError(
            f"{source!r} has {len(names):,} properties; a layer has at most {most:,}."
        )
    for name in names:
        if not is_storable(name):
            raise InvalidBodyError(
                f"The name of the property {name!r} of {source!r} has a NUL character or half a"
                " surrogate pair, and cannot be stored: rename it in the file."
            )
