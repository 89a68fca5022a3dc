"""Every case put to every server in turn, round by round."""

import http.client
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import URL

from bench.cases import POSTGRESQL, Addresses, Case
from bench.installing import UnavailableError, told_version
from bench.load import Client, Load, measure, transactions_per_second
from bench.peers import Peer
from bench.processes import ProgramError, Running, StartError, free_port, serving
from bench.report import SAMSYN, Comparison
from bench.run import Run
from bench.subject import Subject, launch


@dataclass(frozen=True)
class Server:
    """A server that runs, and where it has the polygons."""

    name: str
    running: Running
    addresses: Addresses


@contextmanager
def servers(
    run: Run, subject: Subject, peers: Sequence[Peer], plain: URL
) -> Iterator[list[Server]]:
    """Run SamSyn and the peers until the block ends; the report says which cannot be had."""
    with ExitStack() as stack:
        port = free_port()
        running = stack.enter_context(
            serving(launch(subject.database, port), port, run.folder / "samsyn.log")
        )
        found = [Server(SAMSYN, running, Addresses(subject.items, subject.tile, subject.ids))]
        for peer in peers:
            run.say(f"starting {peer.name}")
            try:
                port = free_port()
                started = peer.launch(plain, port, run.folder)
                version = peer.version or told_version(started.command[0])
                running = stack.enter_context(
                    serving(started, port, run.folder / f"{peer.name}.log")
                )
            except (UnavailableError, ProgramError, StartError) as error:
                run.report.left_out[peer.name] = str(error)
                run.say(f"  left out: {error}")
                continue
            run.report.versions[peer.name] = version
            found.append(Server(peer.name, running, Addresses(peer.items, peer.tile, subject.ids)))
        yield found


def compare(run: Run, case: Case, subject: Subject, found: Sequence[Server]) -> Comparison:
    """Measure a case on every server that it is for."""
    comparison = Comparison(case.name, case.group, case.targets)
    asked = [server for server in found if server.name in {SAMSYN, *case.targets}]
    expected: int | None = None
    for server in asked:
        fault, number = _fault(server, case, expected)
        expected = number if expected is None else expected
        if fault:
            comparison.faults[server.name] = fault
            run.say(f"  {case.name}: {server.name} falls over: {fault}")
    asked = [server for server in asked if server.name not in comparison.faults]
    scripts = case.scripts(subject) if case.scripts else None
    length = min(run.seconds, case.most_seconds)
    for number in range(run.rounds):
        turn = number % max(1, len(asked))
        for server in asked[turn:] + asked[:turn]:
            _note(run, comparison, server.name, _load(server, case, subject, length))
        if scripts:
            alone = transactions_per_second(subject.database, scripts, length)
            _note(run, comparison, POSTGRESQL, alone)
    return comparison


def _load(server: Server, case: Case, subject: Subject, seconds: float) -> Load | str:
    paths = case.paths(server.addresses)
    try:
        if case.is_first_time and server.name == SAMSYN:
            subject.touch()
        return measure(server.running.url, paths, seconds, warm=not case.is_first_time)
    except (OSError, http.client.HTTPException) as error:
        dead = "" if server.running.is_alive else " (its process has ended)"
        return f"{error}{dead}"


def _note(run: Run, comparison: Comparison, name: str, load: Load | str) -> None:
    if isinstance(load, str):
        comparison.faults[name] = load
        run.say(f"  {comparison.name}: {name} falls over: {load}")
        return
    comparison.rates.setdefault(name, []).append(load.rate)
    failed = ""
    if load.failures:
        failed = f", {load.failures} failed of {load.answers + load.failures}"
        comparison.faults[name] = f"{load.failures} of {load.answers + load.failures} failed"
    run.say(f"  {comparison.name}: {name} {load.rate:,.4g}/s{failed}")


def _fault(server: Server, case: Case, expected: int | None) -> tuple[str | None, int | None]:
    """Return what is wrong with a server's answer to the case's first question, and how many
    features it has where it is a page; `expected` are those of the first server asked."""
    try:
        content = Client(server.running.url).body(case.paths(server.addresses)[0])
    except (OSError, http.client.HTTPException) as error:
        return str(error), None
    if not content.startswith(b"{"):
        return (None if content else "the answer is empty"), None
    features = json.loads(content).get("features")
    number = None if features is None else len(features)
    if expected is not None and number != expected:
        return f"{number} features in place of {expected}", number
    return None, number
