"""The end of a listening socket, at which nobody who has connected is lost."""

import ctypes
import socket
import struct
from contextlib import suppress

_SO_ATTACH_FILTER = 26
_LOAD_BYTE, _AND, _JUMP_IF_EQUAL, _RETURN = 0x30, 0x54, 0x15, 0x06
_FLAGS = 13  # offset in a header of TCP
_SYN, _ACK = 0x02, 0x10
_ALL = 0xFFFFFFFF
_FILTER = (
    (_LOAD_BYTE, 0, 0, _FLAGS),
    (_AND, 0, 0, _SYN | _ACK),
    (_JUMP_IF_EQUAL, 0, 1, _SYN),
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, _ALL),
)
IN_FLIGHT = 0.05
"""Seconds in which connections that were begun before are there."""


def turn_away(listener: socket.socket) -> None:
    """Let nobody begin to connect any more: who tries does so again after a second, finds the
    socket closed, and goes elsewhere.

    A socket that is closed resets the connections that nobody has accepted, so that a request that
    was sent on one is lost, and a proxy may not send it again if it writes. With this the queue of
    connections comes to an end before. Where the system has no such filters nothing is done.
    """
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _FILTER))
    described = struct.pack("HP", len(_FILTER), ctypes.addressof(program))
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
