"""SQL texts with psycopg's placeholders `%(name)s`, sent by libpq past psycopg's cursors.

A cursor takes as long over a statement that looks something up as PostgreSQL does. It wakes for
every eight kilobytes of a result, and waits for the interpreter each time; libpq waits for all of
it. But nothing interrupts that: this is for statements that PostgreSQL ends by its own timeout.
"""

import re
import secrets
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from itertools import chain, zip_longest
from typing import Any

import psycopg
from psycopg import abc, pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result

_PLACEHOLDER = re.compile(r"%(?:\((\w+)\)s|%)")
_MAX_PREPARED = 200  # on a connection
_MAX_CACHED_LENGTH = 8192  # characters of a text whose placeholders are cached
_SUCCESS = {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK, pq.ExecStatus.EMPTY_QUERY}

type PreparedTexts = OrderedDict[tuple[str, tuple[int, ...]], bytes]
"""The names of what a connection has prepared, by text and types of its values."""


class Rows:
    """What a text has brought: rows whose values have the names of their columns."""

    __slots__ = ("_result", "_transformer")

    def __init__(self, result: pq.abc.PGresult, transformer: abc.Transformer) -> None:
        transformer.set_pgresult(result)
        self._result, self._transformer = result, transformer

    def __iter__(self) -> Iterator[Any]:
        return iter(self.all())

    @property
    def rowcount(self) -> int:
        """How many rows the statement has brought or changed."""
        return self._result.command_tuples or 0

    def all(self) -> list[Any]:
        """Return the rows."""
        return self._transformer.load_rows(0, self._result.ntuples, self._row_maker())

    def one_or_none(self) -> Any:
        """Return the only row, None where there is none."""
        if self._result.ntuples > 1:
            raise RuntimeError("a statement for one row has brought several")
        return self._first(self._row_maker())

    def one(self) -> Any:
        """Return the only row."""
        row = self.one_or_none()
        if row is None:
            raise RuntimeError("a statement for one row has brought none")
        return row

    def scalar_one(self) -> Any:
        """Return the only row's first value."""
        return self.one()[0]

    def scalar(self) -> Any:
        """Return the first row's first value, None where there is no row."""
        row = self._first(tuple)
        return None if row is None else row[0]

    def scalars(self) -> list[Any]:
        """Return the first value of each row."""
        return [row[0] for row in self.all()]

    def _first(self, make: Callable[[Any], Any]) -> Any:
        return self._transformer.load_row(0, make) if self._result.ntuples else None

    def _row_maker(self) -> Callable[[Any], Any]:
        return _row_maker(tuple(map(self._result.fname, range(self._result.nfields))))


@lru_cache(maxsize=512)
def _row_maker(names: tuple[bytes, ...]) -> Callable[[Any], Any]:
    named: Any = namedtuple
    make: Callable[[Any], Any] = named("Row", [name.decode() for name in names], rename=True)._make
    return make


def send_text(
    driver: psycopg.Connection,
    text: str,
    values: Mapping[str, Any],
    prepared_texts: PreparedTexts | None = None,
    *,
    binary: bool = False,
) -> Rows:
    """Run a text with its values written into it, or prepared where `prepared_texts` is passed.

    The result of a prepared text may be `binary`. Raises psycopg.Error, KeyError for a missing
    value.
    """
    transformer: abc.Transformer = Transformer(driver)
    pgconn = driver.pgconn
    try:
        if prepared_texts is None:
            parts, names = (_split_once if len(text) <= _MAX_CACHED_LENGTH else _split)(text)
            written = [transformer.as_literal(values[name]) for name in names]
            joined = chain.from_iterable(zip_longest(parts, written, fillvalue=b""))
            result = pgconn.exec_(b"".join(joined))
        else:
            query, names = _numbered(text)
            arguments = [values[name] for name in names]
            sent: Any = transformer.dump_sequence(arguments, [PyFormat.AUTO] * len(arguments))
            name = _prepared(pgconn, text, query, transformer.types or (), prepared_texts)
            result = pgconn.exec_prepared(name, sent, transformer.formats, int(binary))
    except MemoryError:  # what libpq brings of a connection that is lost: nothing
        raise psycopg.OperationalError(pgconn.get_error_message()) from None
    _check(result)
    return Rows(result, transformer)


def _prepared(
    pgconn: pq.abc.PGconn,
    text: str,
    query: bytes,
    types: tuple[int, ...],
    prepared_texts: PreparedTexts,
) -> bytes:
    """Return the name under which a connection has prepared a text, which it does now if it has
    not; the least recently used one is closed."""
    key = text, types
    if key in prepared_texts:
        prepared_texts.move_to_end(key)
        return prepared_texts[key]
    while len(prepared_texts) >= _MAX_PREPARED:  # by the protocol: poolers do not parse SQL
        _check(pgconn.close_prepared(prepared_texts.popitem(last=False)[1]))
    name = f"samsyn_{secrets.token_hex(8)}".encode()  # behind a pooler, names of all clients meet
    _check(pgconn.prepare(name, query, types))
    prepared_texts[key] = name
    return name


def _check(result: pq.abc.PGresult) -> None:
    if result.status in _SUCCESS:
        return
    if result.error_field(pq.DiagnosticField.SQLSTATE) is None:  # libpq's own, of a lost connection
        raise psycopg.OperationalError(result.get_error_message())
    raise error_from_result(result)


def _split(text: str) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """Return what stands between a text's placeholders, and their names."""
    parts, names, start = [""], [], 0
    for match in _PLACEHOLDER.finditer(text):
        parts[-1] += text[start : match.start()]
        start = match.end()
        if match[1] is None:
            parts[-1] += "%"
        else:
            names.append(match[1])
            parts.append("")
    parts[-1] += text[start:]
    return tuple(part.encode() for part in parts), tuple(names)


_split_once = lru_cache(maxsize=256)(_split)


@cache  # of what is prepared: as many as the code writes out
def _numbered(text: str) -> tuple[bytes, tuple[str, ...]]:
    """Return a text with the placeholders of the protocol, and their names in its order."""
    parts, names = _split(text)
    order = {name: number for number, name in enumerate(dict.fromkeys(names), 1)}
    placeholders = [b"$%d" % order[name] for name in names]
    joined = chain.from_iterable(zip_longest(parts, placeholders, fillvalue=b""))
    return b"".join(joined), tuple(order)
