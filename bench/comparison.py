"""Every case measured on every server in turn, round by round."""

import http.client
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import URL

from bench.cases import POSTGRESQL, Addresses, Case
from bench.installing import UnavailableError, program_version
from bench.load import Client, Load, measure, transactions_per_second
from bench.peers import Peer
from bench.processes import Launch, ProgramError, Running, StartError, free_port, serving
from bench.proxy import NAME as NGINX
from bench.proxy import launch_nginx
from bench.report import SAMSYN, Comparison
from bench.run import Run
from bench.subject import Subject, launch


@dataclass(frozen=True)
class Server:
    """A running server, and its paths of the polygons."""

    name: str
    running: Running
    addresses: Addresses


@contextmanager
def servers(
    run: Run, subject: Subject, peers: Sequence[Peer], plain: URL, *, is_proxied: bool
) -> Iterator[list[Server]]:
    """Run SamSyn and the peers until the block ends, nginx too where it `is_proxied`; the report
    lists the unavailable ones."""
    with ExitStack() as stack:
        port = free_port()
        running = stack.enter_context(
            serving(launch(subject.database, port), port, run.folder / "samsyn.log")
        )
        addresses = Addresses(subject.items, subject.tile, subject.ids)
        running_servers = [Server(SAMSYN, running, addresses)]

        def start(name: str, launch: Callable[[int], Launch], addresses: Addresses) -> str | None:
            """Start a server and return its program; None where it is left out."""
            run.log_progress(f"starting {name}")
            try:
                port = free_port()
                started = launch(port)
                running = stack.enter_context(serving(started, port, run.folder / f"{name}.log"))
            except (UnavailableError, ProgramError, StartError) as error:
                run.report.left_out[name] = str(error)
                run.log_progress(f"  left out: {error}")
                return None
            running_servers.append(Server(name, running, addresses))
            return started.command[0]

        for peer in peers:
            program = start(
                peer.name,
                lambda port, peer=peer: peer.launch(plain, port, run.folder),
                Addresses(peer.items, peer.tile, subject.ids),
            )
            if program is not None:
                run.report.versions[peer.name] = peer.version or program_version(program)
        if is_proxied:
            upstream = running.url
            start(
                NGINX,
                lambda port: launch_nginx(upstream, (port, free_port()), run.folder),
                addresses,
            )
        yield running_servers


def compare(
    run: Run, case: Case, subject: Subject, running_servers: Sequence[Server]
) -> Comparison:
    """Measure a case on every server in its targets."""
    comparison = Comparison(case.name, case.group, case.targets)
    compared = [server for server in running_servers if server.name in case.targets]
    own = NGINX if case.is_proxied else SAMSYN
    compared[:0] = [replace(one, name=SAMSYN) for one in running_servers if one.name == own]
    expected: int | None = None
    for server in compared:
        fault, number = _fault(server, case, expected)
        expected = number if expected is None else expected
        if fault:
            comparison.faults[server.name] = fault
            run.log_progress(f"  {case.name}: {server.name} fails: {fault}")
    compared = [server for server in compared if server.name not in comparison.faults]
    scripts = case.scripts(subject) if case.scripts else None
    length = min(run.seconds, case.max_seconds)
    for number in range(run.rounds):
        turn = number % max(1, len(compared))
        for server in compared[turn:] + compared[:turn]:
            _note(run, comparison, server.name, _load(server, case, subject, length))
        if scripts:
            alone = transactions_per_second(subject.database, scripts, length)
            _note(run, comparison, POSTGRESQL, alone)
    return comparison


def _load(server: Server, case: Case, subject: Subject, seconds: float) -> Load | str:
    paths = case.paths(server.addresses)
    try:
        if case.is_uncached and server.name == SAMSYN:
            subject.touch()
        return measure(server.running.url, paths, seconds, warm=not case.is_uncached)
    except (OSError, http.client.HTTPException) as error:
        suffix = "" if server.running.is_alive else " (its process has ended)"
        return f"{error}{suffix}"


def _note(run: Run, comparison: Comparison, name: str, load: Load | str) -> None:
    if isinstance(load, str):
        comparison.faults[name] = load
        run.log_progress(f"  {comparison.name}: {name} fails: {load}")
        return
    comparison.rates.setdefault(name, []).append(load.rate)
    failed = ""
    if load.failures:
        failed = f", {load.failures} failed of {load.responses + load.failures}"
        comparison.faults[name] = f"{load.failures} of {load.responses + load.failures} failed"
    run.log_progress(f"  {comparison.name}: {name} {load.rate:,.4g}/s{failed}")


def _fault(server: Server, case: Case, expected: int | None) -> tuple[str | None, int | None]:
    """Return the fault of a server's response to the case's first request, and its number of
    features if it is a page; `expected` is that of the first server."""
    try:
        content = Client(server.running.url).body(case.paths(server.addresses)[0])
    except (OSError, http.client.HTTPException) as error:
        return str(error), None
    if not content.startswith(b"{"):
        return (None if content else "the response is empty"), None
    features = json.loads(content).get("features")
    number = None if features is None else len(features)
    if expected is not None and number != expected:
        return f"{number} features in place of {expected}", number
    return None, number
