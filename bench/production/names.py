"""A server of names, in place of that of containers: a service is all of its instances."""

import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

_HEAD = 12  # bytes
_ADDRESS, _INTERNET = 1, 1
_ANSWER = 0x8180  # a response to a recursive question, without an error
_TO_NAME_OF_QUESTION = 0xC00C


@contextmanager
def answering_names(port: int, known: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Answer at this port of 127.0.0.1 with the addresses of names until the block ends.

    `known` may change meanwhile. Names that it does not have have no address.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", port))
        door.settimeout(0.5)
        is_over = threading.Event()
        thread = threading.Thread(target=_answer, args=(door, known, is_over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


def _answer(
    door: socket.socket, known: Mapping[str, Sequence[str]], is_over: threading.Event
) -> None:
    while not is_over.is_set():
        with suppress(TimeoutError):
            question, client = door.recvfrom(512)
            door.sendto(_response(question, known), client)


def _response(message: bytes, known: Mapping[str, Sequence[str]]) -> bytes:
    labels, at = [], _HEAD
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode())
        at += 1 + length
    question = message[_HEAD : at + 5]
    (kind,) = struct.unpack_from(">H", message, at + 1)
    addresses = known.get(".".join(labels), ()) if kind == _ADDRESS else ()
    head = message[:2] + struct.pack(">5H", _ANSWER, 1, len(addresses), 0, 0)
    records = [
        struct.pack(">3HIH", _TO_NAME_OF_QUESTION, _ADDRESS, _INTERNET, 0, 4)
        + socket.inet_aton(address)
        for address in addresses
    ]
    return b"".join((head, question, *records))
