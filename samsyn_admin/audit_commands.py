"""`samsyn audit`: the chain over all change sets."""

import sys
from datetime import UTC, date, datetime

import click
from sqlalchemy import Connection

from samsyn_admin.command_database import migrate, open_database
from samsyn_admin.imports.sources.counts import counted
from samsyn_model.audit.findings import Tally
from samsyn_model.audit.heads import head_of_day, position_of_head, select_heads
from samsyn_model.audit.sealing import seal_all
from samsyn_model.audit.verification import verify
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading

_HEAD_DIGITS = 64
_DAY = click.DateTime(["%Y-%m-%d"])


def _head(text: str) -> bytes:
    """Return the bytes of a head; raises click.BadParameter."""
    try:
        if len(text) == _HEAD_DIGITS:
            return bytes.fromhex(text)
    except ValueError:
        pass
    raise click.BadParameter(f"{text!r} is not a head of {_HEAD_DIGITS} hexadecimal digits.")


def _head_or_day(text: str) -> bytes | date:
    """Return the bytes of a head, or a day; raises click.BadParameter."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return _head(text)


@click.group("audit")
def audit_group() -> None:
    """Show that history was not rewritten."""


@audit_group.command("head")
@click.option("--date", "day", type=_DAY, help="Print the head at the end of this day (UTC) alone.")
def audit_head(day: datetime | None) -> None:
    """Print the heads of the chain, a line for each day: the day, the position, the head.

    What has been committed by now is sealed first. Note a head outside of this database: as long as
    `samsyn audit verify --head HEAD` finds it, nothing that was committed before it was changed.
    """
    with open_database() as engine:
        migrate(engine)
        seal_all(engine)
        with reading(engine) as connection:
            if day is None:
                rows = run(connection, select_heads()).all()
            else:
                row = head_of_day(connection, day.date())
                rows = [] if row is None else [row]
    if day is not None and not rows:
        raise click.ClickException("nothing had been sealed by that day")
    for row in rows:
        click.echo(f"{row.day} {row.position} {row.head.hex()}")


@audit_group.command("verify")
@click.option(
    "--since",
    metavar="HEAD|DAY",
    callback=lambda _, __, text: text and _head_or_day(text),
    help="Leave out what was sealed up to this head, or this day.",
)
@click.option(
    "--head",
    "heads",
    metavar="HEAD",
    multiple=True,
    callback=lambda _, __, texts: tuple(map(_head, texts)),
    help="It has to be in the chain; may be repeated.",
)
def audit_verify(since: bytes | date | None, heads: tuple[bytes, ...]) -> None:
    """Verify every change set and every state of a feature against the chain.

    Prints a line for each that was altered, is missing or was added, and exits with 1 if there is
    any. What has been committed by now is sealed first.
    """
    tally, faults = Tally(_tell), 0
    with open_database() as engine:
        migrate(engine)
        seal_all(engine)
        with reading(engine) as connection:
            for head in heads:
                if position_of_head(connection, head) is None:
                    click.echo(f"missing: the head {head.hex()}")
                    faults += 1
            after = 0 if since is None else _position(connection, since)
        for finding in verify(engine, tally, after=after):
            click.echo(str(finding))
            faults += 1
    click.echo(
        f"{counted('{count} {change set|change sets}', tally.change_sets)} and"
        f" {counted('{count} {state|states}', tally.states)} of features verified,"
        f" {tally.pruned} of them pruned; {counted('{count} {fault|faults}', faults)}",
        err=True,
    )
    if tally.erased:
        click.echo(f"the texts of {tally.erased} change sets have been erased", err=True)
    if faults:
        sys.exit(1)


def _position(connection: Connection, since: bytes | date) -> int:
    """Return the position of a head, or of that of a day; exit where the chain has no such head."""
    if isinstance(since, bytes):
        position = position_of_head(connection, since)
        if position is None:
            click.echo(f"missing: the head {since.hex()}")
            sys.exit(1)
        return position
    row = head_of_day(connection, since)
    return 0 if row is None else int(row.position)


def _tell(what: str) -> None:
    now = datetime.now(UTC).strftime("%H:%M:%S")
    click.echo(f"{now} verifying {what}", err=True)
