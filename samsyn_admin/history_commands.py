"""`samsyn history prune`."""

from datetime import UTC, datetime
from uuid import UUID

import click

from samsyn_admin.command_database import migrate, open_database
from samsyn_admin.imports.sources.counts import counted
from samsyn_model.audit.pruning import Pruned, Pruning, measure, prune
from samsyn_model.errors import InvalidParameterError
from samsyn_model.settings import get_settings
from samsyn_provider.query.datetime import parse_datetime


@click.group("history")
def history_group() -> None:
    """Keep the history of features in bounds."""


@history_group.command("prune")
@click.option("--before", "moment", required=True, metavar="DATE", help="A day, or a moment.")
@click.option("--layer", "layer_id", type=click.UUID, help="Of this layer alone.")
@click.option("--dry-run", is_flag=True, help="Remove nothing; tell what would be.")
def prune_command(moment: str, layer_id: UUID | None, dry_run: bool) -> None:
    """Remove the versions of features that ended before DATE (of RFC 3339; a day begins in UTC).

    Every moment from DATE on stays as it was; questions about moments before it are refused. Who
    changed what, and when, is kept, and so is the chain (`samsyn audit verify`).
    """
    interval = parse_datetime(moment, "--before")
    if "/" in moment or interval.start is None:
        raise InvalidParameterError("--before is a day or a moment.")
    if interval.start > datetime.now(UTC):
        raise InvalidParameterError("--before is in the future.")
    pruning = Pruning(interval.start, get_settings().deleted_layer_retention, layer_id)
    totals: dict[UUID, Pruned] = {}
    with open_database() as engine:
        migrate(engine)
        for batch in (measure if dry_run else prune)(engine, pruning):
            former = totals.get(batch.layer_id, Pruned(batch.layer_id, 0, 0))
            total = Pruned(
                batch.layer_id, former.versions + batch.versions, former.bytes + batch.bytes
            )
            totals[batch.layer_id] = total
            click.echo(f"{_told(total)} of layer {total.layer_id}", err=True)
    versions = sum(total.versions for total in totals.values())
    size = sum(total.bytes for total in totals.values())
    verb = "would be removed" if dry_run else "removed"
    click.echo(
        f"{_told(Pruned(UUID(int=0), versions, size))} of"
        f" {counted('{count} {layer|layers}', len(totals))} {verb}"
    )


def _told(total: Pruned) -> str:
    versions = counted("{count} {version|versions}", total.versions)
    return f"{versions} ({total.bytes:,} bytes)"
