"""A run: clients of the arrangement for minutes, and what is seen of it at the end."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.databases import session
from bench.production.arrangement import Arrangement
from bench.production.client import Client
from bench.production.figures import Figures
from bench.production.followers import Follower
from bench.production.ledger import Ledger
from bench.production.restarts import restart
from bench.production.samples import Samples
from bench.production.visitors import Editor, Shared, Visitor
from bench.production.world import World, make_world
from samsyn_admin.companions.open_files import allow_files

_LAST_EVENTS = 20.0  # seconds for the last events to come
_CLOSING = 0.5  # seconds in which connections end
_FILES = 8192


@dataclass(frozen=True)
class Plan:
    """How many do what for how long."""

    clients: int
    seconds: float
    followers: int = 20
    people: int = 50
    """Whose tokens half of the clients have."""
    polygons: int = 100_000
    restarts: bool = False
    """Whether everything is restarted meanwhile."""
    upgrade_to: Path | None = None
    """The checkout that is restarted to."""


@dataclass
class Outcome:
    """What a run has shown."""

    figures: Figures
    ledger: Ledger
    samples: Samples
    seconds: float = 0.0
    losses: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    """What followers were not told."""
    change_sets: int = 0
    comings: int = 0


async def run(arrangement: Arrangement, plan: Plan, tell: Callable[[str], None]) -> Outcome:
    """Have clients use the arrangement, then compare what they were told with the database."""
    allow_files(_FILES)
    world = await make_world(arrangement, plan.people, plan.polygons)
    tell("  layers are there")
    outcome = Outcome(Figures(), Ledger(), Samples(arrangement))
    shared = Shared(world, outcome.figures, outcome.ledger, asyncio.Event())
    followers = _followers(arrangement, world, plan, outcome.figures)
    following = [asyncio.create_task(follower.follow()) for follower in followers]
    await asyncio.wait_for(asyncio.gather(*(one.has_begun.wait() for one in followers)), 60)
    known = _newest_change_set(arrangement)
    sampling = asyncio.create_task(outcome.samples.take())
    begun = time.monotonic()
    visiting = [
        asyncio.create_task(visitor.visit()) for visitor in _visitors(arrangement, shared, plan)
    ]
    if plan.restarts:
        await asyncio.sleep(plan.seconds / 4)
        await restart(arrangement, tell, plan.upgrade_to)
    await asyncio.sleep(max(0.0, plan.seconds - (time.monotonic() - begun)))
    shared.is_over.set()
    await asyncio.gather(*visiting)
    outcome.seconds = time.monotonic() - begun
    expected = _change_sets(arrangement, world, known)
    await _wait_for_events(followers, expected)
    for task in (sampling, *following):
        task.cancel()
    await asyncio.gather(sampling, *following, return_exceptions=True)
    await asyncio.sleep(_CLOSING)
    outcome.losses = await asyncio.to_thread(outcome.ledger.losses, arrangement.database)
    outcome.missed = [
        f"follower {number}: {len(expected - set(one.told))} change sets"
        for number, one in enumerate(followers)
        if expected - set(one.told)
    ]
    outcome.change_sets, outcome.comings = len(expected), sum(one.comings for one in followers)
    return outcome


def _address(number: int) -> str:
    """Return an address of a client's own; servers count requests by it."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


def _visitors(arrangement: Arrangement, shared: Shared, plan: Plan) -> list[Visitor]:
    tls, tokens = arrangement.tls, shared.world.tokens
    visitors: list[Visitor] = []
    for number in range(plan.clients):
        if number % 2:
            at = number // 2 % len(tokens)
            client = Client(arrangement.url, tls, _address(number), tokens[at])
            visitors.append(Editor(client, shared, number, is_owner=at == 0))
        else:
            client = Client(arrangement.url, tls, _address(number), None)
            visitors.append(Visitor(client, shared, number))
    return visitors


def _followers(
    arrangement: Arrangement, world: World, plan: Plan, figures: Figures
) -> list[Follower]:
    paths = [f"/api/v1/layers/{world.zones}/events", f"/api/v1/maps/{world.map}/events"]
    return [
        Follower(
            Client(
                arrangement.url,
                arrangement.tls,
                _address(2000 + number),
                world.tokens[number % len(world.tokens)] if number % 4 > 1 else None,
            ),
            paths[number % 2],
            figures,
        )
        for number in range(plan.followers)
    ]


def _newest_change_set(arrangement: Arrangement) -> int:
    with session(arrangement.database) as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM change_sets")
        return int(next(cursor)[0])


def _change_sets(arrangement: Arrangement, world: World, known: int) -> set[int]:
    """Return the numbers of all change sets of the layer that is edited, since one."""
    with session(arrangement.database) as cursor:
        cursor.execute(
            "SELECT change_set_id FROM layer_change_sets"
            " WHERE layer_id = %s AND change_set_id > %s",
            (world.zones, known),
        )
        return {row[0] for row in cursor}


async def _wait_for_events(followers: list[Follower], expected: set[int]) -> None:
    deadline = time.monotonic() + _LAST_EVENTS
    while time.monotonic() < deadline:
        if all(expected <= set(one.told) for one in followers):
            return
        await asyncio.sleep(0.2)
