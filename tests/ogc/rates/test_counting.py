"""Rates as they are counted, in the memory of a process and in Redis."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
from redis import Redis

from samsyn_model.errors import TooManyRequestsError
from samsyn_model.settings import Settings
from samsyn_provider.rates import local_rates, redis_rates
from samsyn_provider.rates.local_rates import PERIOD, LocalRates
from samsyn_provider.rates.rate_limits import Rate, RateLimits
from samsyn_provider.rates.redis_rates import RedisRates
from tests.redis_server import RedisServer, redis_server


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


def granted(rates: LocalRates | RedisRates, key: str, allowance: int, times: int) -> int:
    spent = [rates.spend(key, allowance) for _ in range(times)]
    assert None not in spent
    return sum(each.is_granted for each in spent if each)


@pytest.mark.parametrize("allowance", [1, 7, 30, 600, 3_000])
def test_an_allowance_is_used_up_at_once_and_comes_back_evenly(
    clock: Clock, allowance: int
) -> None:
    rates = LocalRates(clock)
    assert granted(rates, "a", allowance, allowance + 5) == allowance
    assert granted(rates, "b", allowance, 1) == 1
    interval = PERIOD / allowance
    wait = rates.spend("a", allowance).wait
    assert wait == pytest.approx(interval, abs=1e-6)
    assert wait == rates.wait("a", allowance)
    clock.now += wait * 0.99
    assert granted(rates, "a", allowance, 1) == 0
    clock.now += wait * 0.01
    assert rates.wait("a", allowance) == 0
    assert granted(rates, "a", allowance, 5) == 1
    clock.now += PERIOD
    assert granted(rates, "a", allowance, allowance + 5) == allowance


def test_no_minute_has_more_than_twice_the_allowance(clock: Clock) -> None:
    random, rates, times = Random(1), LocalRates(clock), list[float]()
    for _ in range(20_000):
        clock.now += random.expovariate(2)
        if rates.spend("a", 30).is_granted:
            times.append(clock.now)
    assert len(times) >= (clock.now - times[0]) / PERIOD * 30 * 0.98
    for start in times:
        within = sum(start <= each < start + PERIOD for each in times)
        assert within <= 60


def test_memory_is_bounded_and_forgets_who_came_longest_ago(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_rates, "MAX_KEYS", 100)
    rates = LocalRates(clock)
    for number in range(1_000):
        rates.spend("constant", 1)
        rates.spend(str(number), 1)
    assert len(rates._whole_again) == 100
    assert not rates.spend("constant", 1).is_granted
    assert not rates.spend("999", 1).is_granted
    assert rates.spend("1", 1).is_granted


def test_threads_share_an_allowance(clock: Clock) -> None:
    rates = LocalRates(clock)
    with ThreadPoolExecutor(8) as pool:
        counts = pool.map(lambda _: granted(rates, "a", 50, 100), range(8))
    assert sum(counts) == 50


def test_processes_share_an_allowance_in_redis(redis: RedisServer) -> None:
    """Each has connections of its own; six seconds pass until the next of ten is granted."""
    processes = [RedisRates(redis.url) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        counts = pool.map(lambda rates: granted(rates, "a", 10, 20), processes)
    assert sum(counts) == 10
    assert granted(processes[0], "b", 10, 1) == 1


def test_redis_counts_as_a_process_does(redis: RedisServer) -> None:
    shared, local = RedisRates(redis.url), LocalRates()
    for allowance in (1, 3, 600):
        for _ in range(allowance + 2):
            there, here = shared.spend(str(allowance), allowance), local.spend("a", allowance)
            assert there is not None
            if here.wait or there.wait:
                assert there.wait == pytest.approx(here.wait, abs=1.0)
        local = LocalRates()


def test_an_allowance_comes_back_in_redis_and_its_key_expires(redis: RedisServer) -> None:
    rates = RedisRates(redis.url)
    assert granted(rates, "a", 600, 601) >= 600
    wait = rates.spend("a", 600)
    time.sleep(0.2)
    assert wait is not None
    assert granted(rates, "a", 600, 1) == 1
    client = Redis.from_url(redis.url)
    (key,) = client.keys("samsyn:rate:*")
    assert 0 < client.pttl(key) <= 61_000
    assert granted(rates, "once", 60_000, 1) == 1
    time.sleep(0.01)
    assert client.exists("samsyn:rate:once") == 0


def limits(redis: RedisServer, **allowances: int) -> RateLimits:
    return RateLimits(
        Settings(_env_file=None, redis_url=redis.url, **allowances)  # type: ignore[arg-type]
    )


def test_while_redis_is_away_each_process_counts_on_its_own(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No request fails, or waits more than once in a while: Redis hangs here."""
    monkeypatch.setattr(redis_rates, "_PAUSE", 1.0)
    processes = [limits(redis, writes_per_minute=5) for _ in range(2)]
    processes[0].spend(Rate.WRITES, "a")
    os.kill(redis.process.pid, signal.SIGSTOP)
    try:
        start = time.monotonic()
        for each in processes:
            for _ in range(5):
                each.spend(Rate.WRITES, "b")
            with pytest.raises(TooManyRequestsError):
                each.spend(Rate.WRITES, "b")
        assert time.monotonic() - start < 2
        assert "Redis" in caplog.text
    finally:
        os.kill(redis.process.pid, signal.SIGCONT)
    time.sleep(1.1)
    for number in range(4):
        processes[number % 2].spend(Rate.WRITES, "a")
    with pytest.raises(TooManyRequestsError):
        processes[1].spend(Rate.WRITES, "a")


def test_a_process_knows_what_redis_has_refused(redis: RedisServer) -> None:
    """It asks Redis no more until the caller's next request is within the rate."""
    one, other = (limits(redis, wrong_credentials_per_minute=2) for _ in range(2))
    for each in (one, other):
        each.check(Rate.WRONG_CREDENTIALS, "a")
        each.count(Rate.WRONG_CREDENTIALS, "a")
    one.check(Rate.WRONG_CREDENTIALS, "a")
    with pytest.raises(TooManyRequestsError):
        other.check(Rate.WRONG_CREDENTIALS, "a")
    one.count(Rate.WRONG_CREDENTIALS, "a")
    redis.process.kill()
    redis.process.wait()
    with pytest.raises(TooManyRequestsError) as refusal:
        one.check(Rate.WRONG_CREDENTIALS, "a")
    assert refusal.value.retry_after in {29, 30}


@pytest.mark.parametrize("url", ["unix:///nowhere/redis", "redis://127.0.0.1:1/0"])
def test_without_redis_requests_are_counted(url: str) -> None:
    rates = RateLimits(Settings(_env_file=None, redis_url=url, uploads_per_minute=1))
    rates.spend(Rate.UPLOADS, "a")
    with pytest.raises(TooManyRequestsError):
        rates.spend(Rate.UPLOADS, "a")


def test_zero_is_no_limit() -> None:
    rates = RateLimits(Settings(_env_file=None, writes_per_minute=0))
    for _ in range(10_000):
        rates.spend(Rate.WRITES, "a")
        rates.count(Rate.WRITES, "a")
        rates.check(Rate.WRITES, "a")
