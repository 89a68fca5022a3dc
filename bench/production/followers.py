"""Clients of event streams: they come back where one ends, and are told of every change set."""

import asyncio
import re
from collections import Counter

from bench.production.client import BrokenError, Client
from bench.production.figures import Figures

_KIND = "events"
_CHANGE_SET = re.compile(r'"changeset": ?"(\d+)"')
_ID = re.compile(r"^id: (\S+)$", re.MULTILINE)
_WAIT = 0.3  # seconds before it comes back
_SILENCE = 60  # seconds: a comment comes every 20


class Follower:
    """Who follows a layer or a map."""

    def __init__(self, client: Client, path: str, figures: Figures) -> None:
        self._client, self._path, self._figures = client, path, figures
        self._known = ""
        self._text = ""
        self.told = Counter[int]()
        """How often it was told of each change set."""
        self.has_begun = asyncio.Event()
        self.comings = 0
        """How often it opened the stream."""

    async def follow(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._follow_once()
            except asyncio.IncompleteReadError:
                pass  # it was cut off: the next one goes on
            except (BrokenError, OSError, EOFError, ValueError, TimeoutError) as error:
                self._figures.broken(_KIND, f"{type(error).__name__}: {error}")
            finally:
                self._client.close()
            self._text = ""
            await asyncio.sleep(_WAIT)

    async def _follow_once(self) -> None:
        headers = {"Last-Event-ID": self._known} if self._known else {}
        status, later = await self._client.open_stream(self._path, headers)
        self._figures.note(_KIND, status, 0.0, {"retry-after": later})
        if status != 200:
            return
        self.comings += 1
        while True:
            async with asyncio.timeout(_SILENCE):
                chunk = await self._client.read_chunk()
            if not chunk:
                return
            self._text += chunk.decode()
            *blocks, self._text = self._text.split("\n\n")
            for block in blocks:
                self._take(block)

    def _take(self, block: str) -> None:
        if found := _ID.search(block):
            self._known = found[1]
        if "event: ready" in block:
            self.has_begun.set()
        elif "event: reset" in block:
            self._figures.fault(f"{_KIND}: more was missed than is told")
        elif (change := _CHANGE_SET.search(block)) is not None:
            self.told[int(change[1])] += 1
