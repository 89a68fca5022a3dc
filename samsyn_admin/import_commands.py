"""`samsyn import` and `samsyn undo-import`."""

from pathlib import Path
from typing import Any
from uuid import UUID

import click

from samsyn_admin.command_database import migrate, open_database
from samsyn_admin.imports.sources.counts import counted
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import InvalidParameterError
from samsyn_model.identity import api_tokens
from samsyn_model.settings import get_settings


def _import_map(path: Path, owner: str, options: dict[str, Any]) -> None:
    """Make the map of an export again, and print its id."""
    from samsyn_admin.imports.maps.map_import import import_map  # noqa: PLC0415 - GDAL is slow to load

    names = {option.name: option.opts[0] for option in click.get_current_context().command.params}
    if given := [names[name] for name, value in options.items() if value]:
        raise InvalidParameterError(f"--map is used without other options, such as {given[0]}.")
    with open_database() as engine:
        migrate(engine)
        with writing(engine) as connection:
            owner_id = api_tokens.find_or_create_user(connection, owner)
        made = import_map(engine, path, owner_id, timeout=get_settings().import_timeout)
        with reading(engine) as connection:
            run(connection, "ANALYZE layer_features (layer_id, id, geom)")
    click.echo(
        f"{made.name}: {counted('{count} {layer|layers}', len(made.layer_ids))},"
        f" {counted('{count} {feature|features}', made.feature_count)},"
        f" {counted('{count} {comment|comments}', made.comment_count)} imported",
        err=True,
    )
    for note in made.notes:
        click.echo(f"warning: {note}", err=True)
    click.echo(made.map_id)


@click.command("import")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--owner", required=True, metavar="EMAIL", help="Whose layer it becomes.")
@click.option("--name", help="Name of the layer; by default the source's.")
@click.option("--global", "is_global", is_flag=True, help="Put it in the library for everyone.")
@click.option("--public", "is_public", is_flag=True, help="Let everyone read it.")
@click.option("--layer", "layer_id", type=click.UUID, help="Append to this layer.")
@click.option("--replace", is_flag=True, help="Make the file the content of --layer instead.")
@click.option("--update-by", metavar="FIELD", help="Update features of --layer by this field.")
@click.option("--source-layer", help="Import only this layer of the file.")
@click.option(
    "--crs", help="The file's CRS, such as EPSG:3006, where it names none or a wrong one."
)
@click.option("--encoding", help="The encoding of the file's texts, such as cp1252.")
@click.option("--x", metavar="COLUMN", help="Column of a table with longitudes or eastings.")
@click.option("--y", metavar="COLUMN", help="Column of a table with latitudes or northings.")
@click.option("--wkt", metavar="COLUMN", help="Column of a table with geometries.")
@click.option("--decimal", type=click.Choice([".", ","]), help="Decimal sign of a table.")
@click.option("--time-field", help="Property with the time of a feature.")
@click.option("--index", multiple=True, metavar="PROPERTY", help="Index it; may be repeated.")
@click.option("--skip-faulty", is_flag=True, help="Leave out what cannot be stored.")
@click.option(
    "--report",
    "report_file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a report with the faults: .json, or .csv for the faults alone.",
)
@click.option("--map", "is_map", is_flag=True, help="FILE is an exported map: make it again.")
def import_command(
    path: Path, owner: str, is_map: bool, report_file: Path | None, **options: Any
) -> None:
    """Import FILE as vector layers and print their ids, one per line."""
    if is_map:
        _import_map(path, owner, {**options, "report_file": report_file})
        return
    from samsyn_admin.imports.loading.file_import import import_file  # noqa: PLC0415 - GDAL is slow to load
    from samsyn_admin.imports.loading.report import FaultyFeaturesError  # noqa: PLC0415
    from samsyn_admin.imports.loading.report_files import check_suffix, write_report  # noqa: PLC0415

    if report_file is not None:
        check_suffix(report_file)
    with open_database() as engine:
        migrate(engine)
        with writing(engine) as connection:
            owner_id = api_tokens.find_or_create_user(connection, owner)
        timeout = get_settings().import_timeout
        try:
            report = import_file(engine, path, owner_id=owner_id, timeout=timeout, **options)
        except FaultyFeaturesError as error:
            if report_file is not None:
                write_report(report_file, None, error.feature_faults)
            raise
        if report_file is not None:
            write_report(report_file, report, report.faults)
        for layer in report.layers:
            click.echo(layer.layer_id)
        click.echo(
            f"samsyn undo-import {report.import_id} --owner {owner} takes this back", err=True
        )
        # without new statistics PostgreSQL plans as if the table were empty
        with reading(engine) as connection:
            run(connection, "ANALYZE layer_features (layer_id, id, geom)")


@click.command("undo-import")
@click.argument("import_id", metavar="ID", type=click.UUID)
@click.option("--owner", required=True, metavar="EMAIL", help="Whose import it was.")
@click.option("--force", is_flag=True, help="Leave alone what has changed since.")
def undo_import_command(import_id: UUID, owner: str, force: bool) -> None:
    """Take an import back by its ID, as one step."""
    from samsyn_admin.imports.loading.progress import TerminalProgress  # noqa: PLC0415 - as below
    from samsyn_admin.imports.loading.undo import undo_import  # noqa: PLC0415 - Arrow is slow to load

    with open_database() as engine:
        migrate(engine)
        with writing(engine) as connection:
            owner_id = api_tokens.find_or_create_user(connection, owner)
        with TerminalProgress() as progress:
            report = undo_import(
                engine, import_id, owner_id, force=force, progress=progress, checks_rights=False
            )
    click.echo(
        f"{counted('{count} {layer|layers}', report.layers_deleted)} and"
        f" {counted('{count} {feature|features}', report.deleted)} deleted,"
        f" {counted('{count} {feature|features}', report.restored)} restored",
        err=True,
    )
    for change in report.kept:
        click.echo(f"kept: {change['name']}: {change['reason']}", err=True)
