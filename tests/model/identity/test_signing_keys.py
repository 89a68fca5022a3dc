"""The public keys of a Clerk instance: fetched once, renewed, and kept through an outage."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from samsyn_model.errors import CredentialsError
from samsyn_model.identity import signing_keys
from samsyn_model.identity.clerk_sessions import ClerkVerifier
from tests.clerk_instance import ISSUER, jwk, jwks_server, public_pem, session_token, settings


class Clock:
    """The clock of the keys, moved by hand."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(signing_keys, "monotonic", clock)
    return clock


def by_address(url: str) -> ClerkVerifier:
    return ClerkVerifier(settings(clerk_jwks_url=url, clerk_issuer=ISSUER))


def settle(keys: ClerkVerifier) -> None:
    """Wait until no look-up of keys is under way."""
    assert keys._keys is not None
    assert keys._keys._fetching.acquire(timeout=10)
    keys._keys._fetching.release()


def test_keys_are_fetched_once() -> None:
    with jwks_server("first", "second") as server:
        keys = by_address(server.url)
        assert server.fetches == 0, "nothing is fetched before it is needed"
        for kid in ("first", "second", "first"):
            assert keys.verify(session_token(kid=kid))
        assert server.fetches == 1


def test_a_new_key_is_found_at_once_and_an_old_one_ends(clock: Clock) -> None:
    with jwks_server("first") as server:
        keys = by_address(server.url)
        keys.verify(session_token())
        server.document = {"keys": [jwk("second")]}
        assert keys.verify(session_token(kid="second"))
        with pytest.raises(CredentialsError):
            keys.verify(session_token(kid="first"))


def test_a_withdrawn_key_ends_without_anybody_asking_for_another(clock: Clock) -> None:
    """In a process that has been idle, it is not accepted once more."""
    with jwks_server("first", "second") as server:
        keys = by_address(server.url)
        keys.verify(session_token())
        server.document = {"keys": [jwk("second")]}
        clock.ahead = signing_keys.JWKS_LIFESPAN - 60.5
        assert keys.verify(session_token()), "it was fetched less than a lifespan ago"
        settle(keys)
        clock.ahead = 0
        keys = by_address(server.url)
        server.document = {"keys": [jwk("first"), jwk("second")]}
        keys.verify(session_token())
        server.document = {"keys": [jwk("second")]}
        clock.ahead = signing_keys.JWKS_LIFESPAN + 1
        with pytest.raises(CredentialsError):
            keys.verify(session_token())
        assert keys.verify(session_token(kid="second"))


def test_keys_in_use_are_renewed_before_they_end(clock: Clock) -> None:
    with jwks_server("first") as server:
        keys = by_address(server.url)
        keys.verify(session_token())
        server.delay = 2
        for number in range(1, 3):
            clock.ahead += signing_keys.JWKS_RENEWAL + 1
            began = time.perf_counter()
            assert keys.verify(session_token())
            assert time.perf_counter() - began < 1.5, "a request waits for no renewal"
            settle(keys)
            assert server.fetches == 1 + number


def test_an_idle_process_in_an_outage(clock: Clock) -> None:
    """A failure stands for a minute; then known keys are fetched again before they count."""
    with jwks_server("first", "second") as server:
        keys = by_address(server.url)
        keys.verify(session_token())
        server.status = 500
        clock.ahead = signing_keys.JWKS_LIFESPAN + 1
        assert keys.verify(session_token())
        server.status, server.document = 200, {"keys": [jwk("second")]}
        clock.ahead += signing_keys.JWKS_PATIENCE + 1
        with pytest.raises(CredentialsError):
            keys.verify(session_token())


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (500, b"oops"),
        (302, b""),
        (200, b"<html>"),
        (200, b"\xff\xfe"),
        (200, []),
        (200, {"keys": []}),
        (200, {"keys": 7}),
        (99, b""),
        (200, {"keys": [None, {"kid": "first", "kty": "RSA", "n": "!", "e": "?"}]}),
    ],
)
def test_known_keys_outlive_an_outage(status: int, document: object, clock: Clock) -> None:
    with jwks_server("first") as server:
        keys = by_address(server.url)
        keys.verify(session_token())
        server.status, server.document = status, document
        for later in (1, 10 * signing_keys.JWKS_INTERVAL, signing_keys.JWKS_GRACE - 5):
            clock.ahead = signing_keys.JWKS_LIFESPAN + later
            for _ in range(5):
                assert keys.verify(session_token())
                settle(keys)
        assert server.fetches == 4, "it is asked again and again, once a time"
        clock.ahead = signing_keys.JWKS_LIFESPAN + signing_keys.JWKS_GRACE + 1
        with pytest.raises(CredentialsError):
            keys.verify(session_token())
        settle(keys)
        server.status, server.document = 200, {"keys": [jwk("first")]}
        clock.ahead += signing_keys.JWKS_PATIENCE + 1
        assert keys.verify(session_token()), "Clerk is back"


def test_known_keys_outlive_a_dead_address(clock: Clock) -> None:
    with jwks_server("first") as server:
        keys = by_address(server.url)
        keys.verify(session_token())
    clock.ahead = signing_keys.JWKS_LIFESPAN + 1
    assert keys.verify(session_token())
    settle(keys)
    clock.ahead += signing_keys.JWKS_INTERVAL + 1
    assert keys.verify(session_token())
    settle(keys)
    with pytest.raises(CredentialsError):
        keys.verify(session_token(kid="second"))


def test_recovers_after_starting_in_an_outage(clock: Clock) -> None:
    with jwks_server("first") as server:
        server.status = 503
        keys = by_address(server.url)
        for _ in range(10):
            with pytest.raises(CredentialsError):
                keys.verify(session_token())
        assert server.fetches == signing_keys.JWKS_BURST
        server.status = 200
        clock.ahead = signing_keys.JWKS_INTERVAL + 0.1
        assert keys.verify(session_token())


def test_a_slow_address_delays_known_keys_once(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_keys, "JWKS_TIMEOUT", 2)
    with jwks_server("first") as server:
        keys = by_address(server.url)
        keys.verify(session_token())
        server.delay = 30
        clock.ahead = signing_keys.JWKS_LIFESPAN - 30
        _is_known_at_once(keys)
        settle(keys)
        clock.ahead = signing_keys.JWKS_LIFESPAN + 1
        _is_known_at_once(keys)
        clock.ahead += signing_keys.JWKS_PATIENCE
        began = time.perf_counter()
        assert keys.verify(session_token())
        assert time.perf_counter() - began < 6
        request = threading.Thread(target=lambda: _refused_by(keys, "unknown"))
        request.start()
        time.sleep(0.1)
        _is_known_at_once(keys)
        request.join()


def _is_known_at_once(keys: ClerkVerifier) -> None:
    began = time.perf_counter()
    for _ in range(20):
        assert keys.verify(session_token())
    assert time.perf_counter() - began < 1.8, "without a wait of JWKS_TIMEOUT"


def _refused_by(keys: ClerkVerifier, kid: str) -> bool:
    try:
        keys.verify(session_token(kid="other", headers={"kid": kid}))
    except CredentialsError:
        return True
    return False


def test_a_slow_address_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_keys, "JWKS_TIMEOUT", 0.3)
    with jwks_server("first") as server:
        server.delay = 30
        keys = by_address(server.url)
        began = time.perf_counter()
        assert _refused_by(keys, "first")
        assert time.perf_counter() - began < 10


def test_unknown_keys_do_not_cause_a_fetch_each(clock: Clock) -> None:
    with jwks_server("first") as server:
        keys = by_address(server.url)
        keys.verify(session_token())
        assert all(_refused_by(keys, f"unknown-{i}") for i in range(200))
        assert server.fetches == signing_keys.JWKS_BURST
        clock.ahead = signing_keys.JWKS_INTERVAL + 0.1
        assert all(_refused_by(keys, f"unknown-{i}") for i in range(200))
        assert server.fetches == signing_keys.JWKS_BURST + 1
        server.document = {"keys": [jwk("first"), jwk("second")]}
        clock.ahead *= 2
        assert keys.verify(session_token(kid="second")), "rotation is seen in spite of a flood"


def test_many_threads_at_start_fetch_once() -> None:
    with jwks_server("first") as server:
        server.delay = 0.2
        keys = by_address(server.url)
        token = session_token()
        with ThreadPoolExecutor(16) as threads:
            sessions = list(threads.map(keys.verify, [token] * 16))
        assert len(sessions) == 16
        assert server.fetches == 1


def test_many_threads_with_unknown_keys_fetch_once() -> None:
    with jwks_server("first") as server:
        keys = by_address(server.url)
        keys.verify(session_token())
        server.delay = 0.3
        with ThreadPoolExecutor(16) as threads:
            assert all(threads.map(lambda i: _refused_by(keys, f"unknown-{i}"), range(16)))
        assert server.fetches == 2


def test_keys_for_other_uses_are_not_taken() -> None:
    with jwks_server("first") as server:
        server.document = {
            "keys": [
                jwk("first"),
                jwk("second") | {"use": "enc"},
                jwk("third") | {"alg": "RS512"},
                {
                    name: value
                    for name, value in jwk("fourth").items()
                    if name not in ("use", "alg")
                },
            ]
        }
        keys = by_address(server.url)
        assert keys.verify(session_token(kid="fourth"))
        assert _refused_by(keys, "second")
        for kid in ("second", "third"):
            with pytest.raises(CredentialsError):
                keys.verify(session_token(kid=kid))


def test_the_pem_needs_no_network() -> None:
    with jwks_server("second") as server:
        keys = ClerkVerifier(settings(clerk_jwt_key=public_pem(), clerk_jwks_url=server.url))
        assert keys.verify(session_token())
        assert server.fetches == 0
