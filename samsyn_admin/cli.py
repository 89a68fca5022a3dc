"""The `samsyn` command, on the database of `DATABASE_URL` or the checkout's own."""

import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import click
from flask import Flask
from pydantic import ValidationError
from sqlalchemy import Engine

from samsyn_admin.audit_commands import audit_group
from samsyn_admin.command_database import engine_of, migrate, open_database
from samsyn_admin.companions.metrics import metrics_beside
from samsyn_admin.history_commands import history_group
from samsyn_admin.import_commands import import_command, undo_import_command
from samsyn_model.cluster.address import database_address
from samsyn_model.cluster.location import ClusterError
from samsyn_model.database.engine import open_engine, way_of
from samsyn_model.database.requirements import give_settings, settings_not_in_force
from samsyn_model.database.revisions import current_revision, is_later
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import SamsynError
from samsyn_model.identity import api_tokens
from samsyn_model.origin import Origin, set_origin
from samsyn_model.settings import Settings, get_settings
from samsyn_model.sharding.distribution import SHARDS, distribute, plan_distribution


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


@click.group(cls=_SamsynGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="samsyn")
def main() -> None:
    """SamSyn: layers of the sea on shared maps, served as OGC API collections."""
    set_origin(Origin("command"))


@main.command()
@click.option("--demo", "with_demo", is_flag=True, help="Migrate and load the demo plan first.")
def serve(with_demo: bool) -> None:
    """Run the server in the foreground (HOST, PORT, WEB_CONCURRENCY)."""
    from samsyn_admin.serving.server import serve as run_server  # noqa: PLC0415 - gunicorn is slow to load

    with database_address(keeps_running=True, may_be_pooled=True) as url:
        if with_demo:
            with engine_of(get_settings().direct_database_url or url) as engine:
                _load_demo(engine)
        run_server(url, get_settings(), _load_app, show_token_hint=with_demo)


@main.command()
def worker() -> None:
    """Run jobs until stopped (JOBS_WORKERS at a time), as `samsyn serve` does beside the server."""
    from samsyn_admin.jobs.worker import run_worker  # noqa: PLC0415 - only where it is used

    settings = get_settings()
    with database_address(keeps_running=True) as url, metrics_beside(url, settings):
        run_worker(url, settings)


@main.command()
def live() -> None:
    """Send events at LIVE_SOCKET until stopped, as `samsyn serve` does where that is not set."""
    from samsyn_admin.live.process import listen_at, run_live  # noqa: PLC0415 - only where used

    path = get_settings().live_socket
    if path in {None, "off"}:
        raise click.ClickException("LIVE_SOCKET names the Unix socket at which servers connect.")
    settings = get_settings()
    with database_address(keeps_running=True) as url, metrics_beside(url, settings):
        run_live(url, settings, listen_at(Path(path)))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
def tiler(host: str, port: int) -> None:
    """Run a raster tiler for the servers that have its TITILER_SECRET, until stopped."""
    if get_settings().titiler_secret is None:
        raise click.ClickException("TITILER_SECRET is not set; servers have to have the same one")
    program = [sys.executable, "-m", "samsyn_admin.tiler.process", host, str(port)]
    os.execv(sys.executable, program)  # noqa: S606 - GDAL's drivers are chosen before it is loaded


def _load_app() -> Callable[[Settings, Engine], Flask]:
    """Load the modules of the application, which takes a second or two; return what creates it."""
    from samsyn_admin.app import create_app  # noqa: PLC0415 - loaded by servers alone

    return create_app


def _load_demo(engine: Engine) -> None:
    from samsyn_admin.demo.loading import load_demo  # noqa: PLC0415 - only where it is used

    migrate(engine)
    click.echo(str(load_demo(engine)), err=True)


@main.group("db")
def db_group() -> None:
    """Migrate and check the database."""


@db_group.command("upgrade")
@click.argument("revision", default="head")
def db_upgrade(revision: str) -> None:
    """Bring the database to REVISION (by default the newest)."""
    from samsyn_model.database import migrations  # noqa: PLC0415 - Alembic is slow to load

    with open_database() as engine:
        with reading(engine) as connection:
            current = current_revision(connection)
        if revision == "head" and is_later(current):
            click.echo(f"database at revision {current}, of a later release", err=True)
            return
        migrations.upgrade(engine, revision)
        with reading(engine) as connection:
            click.echo(f"database at revision {current_revision(connection)}", err=True)
        is_pooled = way_of(engine).is_pooled or get_settings().direct_database_url is not None
        if is_pooled and settings_not_in_force(engine, get_settings().statement_timeout):
            click.echo("the role lacks settings: samsyn db settings --apply", err=True)


@db_group.command("distribute")
@click.option("--dry-run", is_flag=True, help="Tell what would be done.")
@click.option(
    "--shards",
    type=click.IntRange(1, 1024),
    default=SHARDS,
    show_default=True,
    help="Parts of each table.",
)
def db_distribute(dry_run: bool, shards: int) -> None:
    """Distribute the tables that grow with features over the servers of Citus, by layer."""
    with open_database() as engine:
        plan = plan_distribution(engine)
        click.echo(f"Citus {plan.version}: {', '.join(plan.nodes)}", err=True)
        for table in plan.pending:
            size = f"{table.rows:,} rows, {table.bytes / 1024**2:,.1f} MiB"
            click.echo(f"{table.name}: {size}, to be distributed", err=True)
        if plan.pending and not dry_run:
            distribute(engine, shards, lambda text: click.echo(f"{text}: done", err=True))
            click.echo("distributed: restart the servers and workers", err=True)
        elif not plan.pending:
            click.echo("all tables are distributed", err=True)


@db_group.command("settings")
@click.option("--apply", "is_applied", is_flag=True, help="Give them to the role.")
def db_settings(is_applied: bool) -> None:
    """Fail when sessions behind a pooler would not begin with the settings that SamSyn needs."""
    timeout = get_settings().statement_timeout
    with open_database() as engine:
        if is_applied:
            give_settings(engine, timeout)
        missing = settings_not_in_force(engine, timeout)
    for name, (wanted, found) in missing.items():
        click.echo(f"{name} is {found}, not {wanted}", err=True)
    if missing:
        sys.exit(1)
    click.echo("new sessions of the role begin with the settings", err=True)


@db_group.command("downgrade")
@click.argument("revision")
def db_downgrade(revision: str) -> None:
    """Take the database back to REVISION; `base` removes every table."""
    from samsyn_model.database import migrations  # noqa: PLC0415 - Alembic is slow to load

    with open_database() as engine:
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
    app = _load_app()(Settings(_env_file=None), engine)  # type: ignore[call-arg]
    click.echo(json.dumps(api_document(app), indent=1, ensure_ascii=False))


@main.command()
def demo() -> None:
    """Load the demo plan: a fictional plan of the Kattegat. A second run changes nothing."""
    with open_database() as engine:
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
    with open_database() as engine:
        migrate(engine)
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
    with open_database() as engine:
        migrate(engine)
        with writing(engine) as connection:
            api_tokens.set_admin(connection, email)
    click.echo(f"{email} is an administrator", err=True)


main.add_command(import_command)
main.add_command(undo_import_command)
main.add_command(audit_group)
main.add_command(history_group)
