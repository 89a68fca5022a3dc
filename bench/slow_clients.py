"""Fast clients of a running server, alone and beside slow ones: their rate and their times.

`python -m bench.slow_clients http://127.0.0.1:8000`, on a server whose database has any layer or
none. A third of the slow clients send the head of a request byte by byte, a third a body, a third
do not read their responses.
"""

import asyncio
import contextlib
import socket
import statistics
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import click

_SEARCH = "/ogc/collections/00000000-0000-0000-0000-000000000000/search"
_PAUSE = 0.5  # seconds between bytes


async def _connect(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(host, port, limit=4096)


async def _slow_head(host: str, port: int) -> None:
    _, writer = await _connect(host, port)
    for byte in b"GET /ogc/conformance HTTP/1.1\r\nHost: here\r\nAccept: application/json\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(_PAUSE)


async def _slow_body(host: str, port: int) -> None:
    _, writer = await _connect(host, port)
    writer.write(f"POST {_SEARCH} HTTP/1.1\r\nHost: here\r\nContent-Length: 9999\r\n\r\n".encode())
    while True:
        writer.write(b"{")
        await writer.drain()
        await asyncio.sleep(_PAUSE)


async def _slow_reader(host: str, port: int) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, (host, port))
        await loop.sock_sendall(client, b"GET /ogc/openapi HTTP/1.1\r\nHost: here\r\n\r\n" * 100)
        while await loop.sock_recv(client, 64):
            await asyncio.sleep(_PAUSE)


async def _fast(host: str, port: int, path: str, times: list[float]) -> None:
    reader, writer = await _connect(host, port)
    while True:
        begun = time.perf_counter()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        await reader.readexactly(int(length))
        times.append(time.perf_counter() - begun)


async def _probe(host: str, port: int, times: list[float]) -> None:
    while True:
        begun = time.perf_counter()
        reader, writer = await _connect(host, port)
        writer.write(b"GET /api/health HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        await reader.read()
        times.append(time.perf_counter() - begun)
        writer.close()
        await asyncio.sleep(0.2)


async def _again(client: Callable[[str, int], Awaitable[None]], host: str, port: int) -> None:
    """Come back whenever the server ends the connection."""
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await client(host, port)
        await asyncio.sleep(_PAUSE)


async def _measure(address: str, slow: int, fast: int, seconds: float) -> str:
    host, port = urlsplit(address).hostname or "", urlsplit(address).port or 80
    kinds = (_slow_head, _slow_body, _slow_reader)
    tasks = [asyncio.create_task(_again(kinds[number % 3], host, port)) for number in range(slow)]
    await asyncio.sleep(2 if slow else 0)
    times: list[float] = []
    health: list[float] = []
    tasks += [
        asyncio.create_task(_fast(host, port, "/ogc/conformance", times)) for _ in range(fast)
    ]
    tasks.append(asyncio.create_task(_probe(host, port, health)))
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    ranks = statistics.quantiles(times, n=100) if len(times) > 1 else [seconds] * 99
    return (
        f"{len(times) / seconds:8.1f} a second, p50 {ranks[49] * 1000:7.1f} ms,"
        f" p99 {ranks[98] * 1000:8.1f} ms; health at most {max(health, default=seconds):6.3f} s"
    )


@click.command()
@click.argument("address")
@click.option("--slow", default=200, help="Slow clients.")
@click.option("--fast", default=20, help="Fast clients.")
@click.option("--seconds", default=10.0, help="Seconds of each measurement.")
def main(address: str, slow: int, fast: int, seconds: float) -> None:
    """Measure fast clients of the server at ADDRESS, alone and beside slow ones."""
    for count in (0, slow):
        result = asyncio.run(_measure(address, count, fast, seconds))
        click.echo(f"{fast} fast beside {count:3} slow: {result}")


if __name__ == "__main__":
    main()
