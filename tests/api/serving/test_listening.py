"""A listening socket that is about to be closed: who has connected is served, nobody else comes."""

import socket
from threading import Timer

import pytest

from samsyn_admin.serving.listening import turn_away


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_who_comes_too_late_is_refused_and_nobody_is_cut_off(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.bind((address, 0))
    except OSError:
        pytest.skip(f"this machine has no {address}")
    listener.listen()
    place = listener.getsockname()[:2]
    with socket.create_connection(place, 5) as early, socket.socket(family) as late:
        early.sendall(b"a request")
        turn_away(listener)
        late.settimeout(0.3)
        with pytest.raises(TimeoutError):
            late.connect(place)
        accepted, _ = listener.accept()
        listener.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listener.accept()  # the queue has come to an end
        closing = Timer(0.2, listener.close)
        closing.start()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(place, 10)
        closing.join()
        with accepted:
            assert accepted.recv(100) == b"a request"
            accepted.sendall(b"a response")
            assert early.recv(100) == b"a response"
            early.sendall(b"another")
            assert accepted.recv(100) == b"another"
