"""Where a body in chunks ends (RFC 9112, 7.1); gunicorn checks and decodes it."""

_MAX_LINE = 8192  # bytes: gunicorn refuses a longer one


class ChunkedBody:
    """Follows the chunks of a body as its bytes arrive."""

    def __init__(self) -> None:
        self._skipped = 0  # bytes until the next line
        self._line = b""
        self._is_trailer = False

    def has_ended(self, received: bytes) -> bool:
        """Return whether the body ends in these bytes, the next ones of it; also where it is
        malformed, so that no more of it is needed to refuse it."""
        position = 0
        while position < len(received):
            if self._skipped:
                skipped = min(self._skipped, len(received) - position)
                self._skipped -= skipped
                position += skipped
                continue
            end = received.find(b"\n", position)
            self._line += received[position : end if end >= 0 else None]
            if end < 0:
                return len(self._line) > _MAX_LINE
            position = end + 1
            if self._ends_at(self._line.rstrip(b"\r")):
                return True
            self._line = b""
        return False

    def _ends_at(self, line: bytes) -> bool:
        if self._is_trailer:
            return not line
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            return True
        self._is_trailer = size == 0
        self._skipped = size + len(b"\r\n") if size > 0 else 0
        return size < 0
