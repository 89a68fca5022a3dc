"""`python -m bench.production`: the shipped arrangement under many clients.

Clients read, edit, load tiles and follow events without a pause, through nginx, TLS and PgBouncer;
half of them have tokens. At the end every write that was acknowledged has to be in the database,
every change told to who follows, and no response another one than the documented.
`--restarts` restarts all of it meanwhile, as an upgrade does; no request may fail then.
"""

import asyncio
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from bench.processes import run_program
from bench.production.arrangement import Arrangement, Wishes, arranged
from bench.production.poolers import NEWER, PACKAGED
from bench.production.run import Outcome, Plan, run
from samsyn_model.settings import CHECKOUT

_POOL = 20  # default_pool_size
_GROWTH = 1.1
_LONG = 120  # seconds, in which caches are filled
_SPARE_MEBIBYTES = 16  # by which a small process may grow


@click.command(context_settings={"show_default": True})
@click.option("--clients", default=500, type=click.IntRange(2))
@click.option("--minutes", default=5.0, type=click.FloatRange(0.1))
@click.option("--polygons", default=100_000, type=click.IntRange(1_000))
@click.option("--pooler", default=NEWER, type=click.Choice([NEWER, PACKAGED]))
@click.option("--restarts", is_flag=True, help="Restart everything meanwhile.")
@click.option("--upgrade-from", help="A commit whose code runs until the restarts.")
def main(**options: Any) -> None:
    """Start what docker-compose.prod.yml has, use it, and report."""
    with ExitStack() as stack:
        before = options["upgrade_from"]
        code = _checkout(stack, before) if before else CHECKOUT
        wishes = Wishes(pooler=options["pooler"], code=code)
        arrangement = stack.enter_context(arranged(wishes))
        click.echo("everything runs", err=True)
        plan = Plan(
            options["clients"],
            options["minutes"] * 60,
            polygons=options["polygons"],
            restarts=options["restarts"] or bool(before),
            upgrade_to=CHECKOUT if before else None,
        )
        outcome = asyncio.run(run(arrangement, plan, lambda text: click.echo(text, err=True)))
        faults = _report(arrangement, plan, outcome)
    for fault in faults:
        click.echo(f"FAULT: {fault}")
    sys.exit(bool(faults))


def _checkout(stack: ExitStack, commit: str) -> Path:
    folder = CHECKOUT / ".samsyn" / "upgrade-from"
    worktree = ["git", "-C", str(CHECKOUT), "worktree"]
    run_program([*worktree, "add", "--detach", "--force", str(folder), commit])
    stack.callback(run_program, [*worktree, "remove", "--force", str(folder)])
    return folder


def _report(arrangement: Arrangement, plan: Plan, outcome: Outcome) -> list[str]:
    """Print what was seen, and return what should not have been."""
    figures, samples = outcome.figures, outcome.samples
    click.echo(
        f"{plan.clients} clients and {plan.followers} followers for {outcome.seconds:.0f} s:"
        f" {figures.total:,} requests, {figures.total / outcome.seconds:.0f} a second,"
        f" {figures.fault_count} faults, {figures.refused} asked to come back later"
    )
    click.echo(
        "\n| kind | requests | p50 ms | p95 ms | p99 ms | statuses |\n|---|---|---|---|---|---|"
    )
    for row in figures.rows():
        click.echo(f"| {' | '.join(row)} |")
    click.echo(
        f"\nacknowledged writes: {outcome.ledger.writes:,}, lost: {len(outcome.losses)};"
        f" change sets: {outcome.change_sets:,}, followers that missed some:"
        f" {len(outcome.missed)}, streams opened: {outcome.comings}"
    )
    click.echo(
        f"connections: PgBouncer's to PostgreSQL at most {max(samples.pooled)} of {_POOL}, all to"
        f" PostgreSQL {max(samples.connections)}, clients of PgBouncer {max(samples.clients)}, of"
        f" which waited {max(samples.waiting)}"
    )
    faults = [*figures.faults, *outcome.losses, *outcome.missed]
    if max(samples.pooled) > _POOL:
        faults.append(f"{max(samples.pooled)} connections of PgBouncer")
    click.echo(
        "\n| process | MiB, first half | second half | at most | limit |\n|---|---|---|---|---|"
    )
    for name in samples.memory:
        first, second, most = samples.growth(name)
        service = arrangement.services.get(name.split(" ")[0])
        limit = service.memory // 1024**2 if service else None
        click.echo(f"| {name} | {first:.0f} | {second:.0f} | {most:.0f} | {limit or ''} |")
        if (
            plan.seconds >= _LONG
            and not plan.restarts
            and second > first * _GROWTH + _SPARE_MEBIBYTES
        ):
            faults.append(f"{name} grows: {first:.0f} MiB, then {second:.0f}")
        if limit and most > limit:
            faults.append(f"{name} has {most:.0f} MiB, more than its limit")
    if plan.restarts and figures.refused:
        faults.append(f"{figures.refused} requests were asked to come back later")
    return faults


if __name__ == "__main__":
    main()
