"""`python -m bench` (make bench): loads data, starts servers, measures, reports and stores."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from bench.cases import ITEM_CASES, TILE_CASES
from bench.comparison import compare, servers
from bench.databases import (
    database_server,
    fill_plain_table,
    scratch_database,
    server_facts,
    vacuum,
)
from bench.dataset import write_polygons
from bench.growth import measure_growth
from bench.history import measure_history
from bench.imports import measure_imports
from bench.layer_checks import measure_cold_tiles, measure_memory, measure_paging
from bench.lists import measure_lists
from bench.peers import PEERS
from bench.processes import run_program
from bench.report import Report, machine_facts, store
from bench.run import Run
from bench.subject import Subject, import_layer

GROUPS = ("items", "tiles", "import", "lists", "memory", "history", "growth")
PROGRAMS = ("wrk", "pgbench", "ogr2ogr")
_COMPARED = {"items": ITEM_CASES, "tiles": TILE_CASES}


def _names(allowed: Sequence[str]) -> Any:
    def read(_: click.Context, option: click.Parameter, value: str) -> list[str]:
        names = [name for name in value.split(",") if name]
        for name in names:
            if name not in allowed:
                raise click.BadParameter(f"{name!r} is none of {', '.join(allowed)}", param=option)
        return names

    return read


_PEER_NAMES = tuple(peer.name for peer in PEERS)


@click.command(context_settings={"show_default": True})
@click.option("--cases", default=",".join(GROUPS), callback=_names(GROUPS), help="What to measure.")
@click.option(
    "--peers", default=",".join(_PEER_NAMES), callback=_names(_PEER_NAMES), help="Beside which."
)
@click.option("--rounds", default=3, type=click.IntRange(1, 99), help="Of every case.")
@click.option("--seconds", default=6.0, type=click.FloatRange(1), help="A case in a round.")
@click.option("--polygons", default=300_000, type=click.IntRange(20_000), help="In the layer.")
@click.option("--layers", default=10_000, type=click.IntRange(20), help="Of the large database.")
@click.option(
    "--rows-elsewhere",
    default=0,
    type=click.IntRange(0),
    help="Rows in other layers, for growth; 30000000 take half an hour and 40 GB.",
)
@click.option(
    "--keep-growth",
    is_flag=True,
    help="Keep the databases of growth on BENCH_DATABASE_URL, and use those that are there.",
)
@click.option("--skip-growth", is_flag=True, help="Leave growth out.")
@click.option(
    "--output",
    default=Path(__file__).with_name("results"),
    type=click.Path(path_type=Path),
    help="Folder of the results.",
)
def main(**options: Any) -> None:
    """Measure SamSyn beside other servers. BENCH_DATABASE_URL names a PostgreSQL server to use in
    place of one made for the run."""
    for number in (signal.SIGINT, signal.SIGTERM):  # also where the shell ignores SIGINT
        signal.signal(number, _stop)
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise click.ClickException(
            f"needs {', '.join(missing)}: on Debian apt-get install wrk postgresql-contrib gdal-bin"
        )
    if options["skip_growth"]:
        options["cases"] = [group for group in options["cases"] if group != "growth"]
    option_texts = {name: str(value) for name, value in options.items() if name != "output"}
    report = Report(option_texts, machine_facts())
    report.versions["SamSyn"] = _samsyn_version()
    try:
        _measure(report, options)
    except BaseException:
        report.remarks.append("the run did not come to its end")
        raise
    finally:
        if report.comparisons or report.checks:
            files = store(report, options["output"])
            click.echo(report.markdown())
            click.echo(f"stored: {', '.join(map(str, files))}", err=True)


def _stop(number: int, _: object) -> None:
    for again in (signal.SIGINT, signal.SIGTERM):  # not during clean-up
        signal.signal(again, signal.SIG_IGN)
    sys.exit(128 + number)


def _samsyn_version() -> str:
    revision = run_program(["git", "describe", "--always", "--dirty"]).strip()
    return f"{version('samsyn')} ({revision})"


def _measure(report: Report, options: dict[str, Any]) -> None:
    groups = options["cases"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="samsyn-bench-")))
        server = stack.enter_context(database_server(os.environ.get("BENCH_DATABASE_URL")))
        report.postgresql |= server_facts(server)
        run = Run(report, server, folder, options["rounds"], options["seconds"])
        if {"items", "tiles", "memory"} & set(groups):
            _measure_layer(run, options)
        if "import" in groups:
            measure_imports(run)
        if "lists" in groups:
            measure_lists(run)
        if "history" in groups:
            measure_history(run, options["polygons"])
        if "growth" in groups:
            measure_growth(
                run, options["layers"], options["rows_elsewhere"], keep=options["keep_growth"]
            )


def _measure_layer(run: Run, options: dict[str, Any]) -> None:
    """Measure all cases of the large layer."""
    groups = options["cases"]
    cases = [case for group in groups for case in _COMPARED.get(group, ())]
    targets = {name for case in cases for name in case.targets}
    peers = [peer for peer in PEERS if peer.name in options["peers"] and peer.name in targets]
    with ExitStack() as stack:
        database = stack.enter_context(scratch_database(run.server, "samsyn"))
        run.log_progress(f"generating and importing {options['polygons']:,} polygons")
        file = run.folder / "polygons.fgb"
        write_polygons(file, options["polygons"])
        subject = Subject(database, import_layer(database, file))
        stack.callback(subject.close)
        file.unlink()
        vacuum(database)
        if cases:
            plain = stack.enter_context(scratch_database(run.server, "plain"))
            run.log_progress("copying them into a plain table")
            fill_plain_table(database, subject.layer_id, plain, run.folder)
            is_proxied = any(case.is_proxied for case in cases)
            with servers(run, subject, peers, plain, is_proxied=is_proxied) as running_servers:
                for case in cases:
                    run.report.comparisons.append(compare(run, case, subject, running_servers))
                if "items" in groups:
                    measure_paging(run, running_servers[0].running.url, subject)
                if "tiles" in groups:
                    measure_cold_tiles(run, running_servers[0].running.url, subject)
        if "memory" in groups:
            measure_memory(run, subject)


if __name__ == "__main__":
    main()
