"""The `samsyn` command, on the database of `DATABASE_URL` or the checkout's own."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import click
from flask import Flask
from pydantic import ValidationError
from sqlalchemy import Engine

from samsyn_model.cluster.address import database_address
from samsyn_model.cluster.location import ClusterError
from samsyn_model.database.engine import open_engine
from samsyn_model.database.execution import run
from samsyn_model.database.revisions import current_revision, is_newest
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import SamsynError
from samsyn_model.identity import api_tokens
from samsyn_model.settings import Settings, get_settings


class _SamsynGroup(click.Group):
    """A group whose commands report errors in one readable line."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            return super().main(*args, **kwargs)
        except ValidationError as error:
            for fault in error.errors():
                name = "_".join(map(str, fault["loc"])).upper()
                click.echo(f"samsyn: the setting {name}: {fault['msg']}", err=True)
            sys.exit(1)
        except (SamsynError, ClusterError) as error:
            click.echo(f"samsyn: {error}", err=True)
            for fault in getattr(error, "faults", ()):
                click.echo(f"  {fault.pointer}: {fault.detail}", err=True)
            sys.exit(1)


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _database() -> Iterator[Engine]:
    with database_address() as url, _engine(url) as engine:
        yield engine


def _migrate(engine: Engine) -> None:
    """Upgrade a database that is not at the newest revision."""
    if not is_newest(engine):
        from samsyn_model.database import migrations  # noqa: PLC0415 - Alembic is slow to load

        migrations.upgrade(engine)


@click.group(cls=_SamsynGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="samsyn")
def main() -> None:
    """SamSyn: layers of the sea on shared maps, served as OGC API collections."""


@main.command()
@click.option("--demo", "with_demo", is_flag=True, help="Migrate and load the demo plan first.")
def serve(with_demo: bool) -> None:
    """Run the server in the foreground (HOST, PORT, WEB_CONCURRENCY)."""
    from samsyn_admin.serving.server import serve as run_server  # noqa: PLC0415 - gunicorn is slow to load

    with database_address(keeps_running=True) as url:
        if with_demo:
            with _engine(url) as engine:
                _load_demo(engine)
        run_server(url, get_settings(), _create_app, show_token_hint=with_demo)


@main.command()
def worker() -> None:
    """Run jobs until stopped (JOBS_WORKERS at a time), as `samsyn serve` does beside the server."""
    from samsyn_admin.jobs.worker import run_worker  # noqa: PLC0415 - only where it is used

    with database_address(keeps_running=True) as url:
        run_worker(url, get_settings())


def _create_app(settings: Settings, engine: Engine) -> Flask:
    """Return the application, whose modules are loaded only in the processes that serve it."""
    from samsyn_admin.app import create_app  # noqa: PLC0415 - loaded in each worker

    return create_app(settings, engine)


def _load_demo(engine: Engine) -> None:
    from samsyn_admin.demo.loading import load_demo  # noqa: PLC0415 - only where it is used

    _migrate(engine)
    click.echo(str(load_demo(engine)), err=True)


@main.group("db")
def db_group() -> None:
    """Migrate and check the database."""


@db_group.command("upgrade")
@click.argument("revision", default="head")
def db_upgrade(revision: str) -> None:
    """Bring the database to REVISION (by default the newest)."""
    from samsyn_model.database import migrations  # noqa: PLC0415 - Alembic is slow to load

    with _database() as engine:
        migrations.upgrade(engine, revision)
        with reading(engine) as connection:
            click.echo(f"database at revision {current_revision(connection)}", err=True)


@db_group.command("downgrade")
@click.argument("revision")
def db_downgrade(revision: str) -> None:
    """Take the database back to REVISION; `base` removes every table."""
    from samsyn_model.database import migrations  # noqa: PLC0415 - Alembic is slow to load

    with _database() as engine:
        migrations.downgrade(engine, revision)


@db_group.command("check")
def db_check() -> None:
    """Fail when the tables in the code and those of the migrations differ."""
    from samsyn_model.database import migrations  # noqa: PLC0415 - Alembic is slow to load

    with database_address() as url:
        differences = migrations.drift_of_fresh_database(url)
    for difference in differences:
        click.echo(str(difference), err=True)
    if differences:
        sys.exit(1)
    click.echo("migrations and tables agree", err=True)


@main.command("openapi")
def openapi_document() -> None:
    """Print the OpenAPI document of the management API, stored as `openapi/api.json`."""
    from samsyn_admin.openapi.document import api_document  # noqa: PLC0415 - only where it is used

    engine = open_engine("postgresql://127.0.0.1:1/none")  # no database is needed
    app = _create_app(Settings(_env_file=None), engine)  # type: ignore[call-arg]
    click.echo(json.dumps(api_document(app), indent=1, ensure_ascii=False))


@main.command()
def demo() -> None:
    """Load the demo plan: a fictional plan of the Kattegat. A second run changes nothing."""
    with _database() as engine:
        _load_demo(engine)


@main.group()
def token() -> None:
    """Make API tokens."""


@token.command("create")
@click.argument("email")
@click.option("--scope", type=click.Choice(["read", "write"]), default="write", show_default=True)
@click.option("--name", default="command line", show_default=True, help="Shown in lists.")
@click.option(
    "--days", type=click.IntRange(1, 3650), help="Days until it expires; by default never."
)
def token_create(email: str, scope: Literal["read", "write"], name: str, days: int | None) -> None:
    """Make an API token for EMAIL (the user is created if missing) and print it, once."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with _database() as engine:
        _migrate(engine)
        with writing(engine) as connection:
            user_id = api_tokens.find_or_create_user(connection, email)
            created = api_tokens.create_token(
                connection, user_id, name=name, scope=scope, expires_at=expires_at
            )
    click.echo(created)


@main.group()
def user() -> None:
    """Manage users."""


@user.command("admin")
@click.argument("email")
def user_admin(email: str) -> None:
    """Make EMAIL an administrator (the user is created if missing)."""
    with _database() as engine:
        _migrate(engine)
        with writing(engine) as connection:
            api_tokens.set_admin(connection, email)
    click.echo(f"{email} is an administrator", err=True)


@main.command("import")
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
def import_command(path: Path, owner: str, report_file: Path | None, **options: Any) -> None:
    """Import FILE as vector layers and print their ids, one per line."""
    from samsyn_admin.imports.loading.file_import import import_file  # noqa: PLC0415 - GDAL is slow to load
    from samsyn_admin.imports.loading.report import FaultyFeaturesError  # noqa: PLC0415
    from samsyn_admin.imports.loading.report_files import check_suffix, write_report  # noqa: PLC0415

    if report_file is not None:
        check_suffix(report_file)
    with _database() as engine:
        _migrate(engine)
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
        click.echo(f"samsyn undo-import {report.import_id} takes this back", err=True)
        # without new statistics PostgreSQL plans as if the table were empty
        with reading(engine) as connection:
            run(connection, "ANALYZE layer_features (layer_id, id, geom)")


@main.command("undo-import")
@click.argument("import_id", metavar="ID", type=click.UUID)
@click.option("--owner", required=True, metavar="EMAIL", help="Whose import it was.")
@click.option("--force", is_flag=True, help="Leave alone what has changed since.")
def undo_import_command(import_id: UUID, owner: str, force: bool) -> None:
    """Take an import back by its ID, as one step."""
    from samsyn_admin.imports.loading.progress import TerminalProgress  # noqa: PLC0415 - as below
    from samsyn_admin.imports.loading.undo import undo_import  # noqa: PLC0415 - Arrow is slow to load

    with _database() as engine:
        _migrate(engine)
        with writing(engine) as connection:
            owner_id = api_tokens.find_or_create_user(connection, owner)
        with TerminalProgress() as progress:
            report = undo_import(engine, import_id, owner_id, force=force, progress=progress)
    click.echo(
        f"{report.layers_deleted:,} layers and {report.deleted:,} features deleted,"
        f" {report.restored:,} features restored",
        err=True,
    )
    for change in report.kept:
        click.echo(f"kept: {change['name']}: {change['reason']}", err=True)
