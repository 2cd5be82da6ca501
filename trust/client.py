"""A small client for many requests: one connection, one request after the other, nothing but what is needed."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson


class Connection:
    """One kept connection to an API on this machine, with a key where one is needed. Use it from one task."""

    def __init__(self, port: int, key: str = "") -> None:
        self._port = port
        self._own = f"authorization: Bearer {key}\r\n" if key else ""
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, body: bytes | Any = None, *, headers: str = "") -> tuple[int, Any]:
        """Return the status and the JSON of an answer; raises ``OSError`` when there is none.

        ``headers``: more of them, each with the end of its line.
        """
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._reader, self._writer
        assert reader is not None
        content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        kind = b"content-type: application/json\r\n" if content else b""
        told = (self._own + headers).encode() + kind
        writer.write(
            b"%b %b HTTP/1.1\r\nhost: 127.0.0.1\r\n%bcontent-length: %d\r\n\r\n%b"
            % (method.encode(), path.encode(), told, len(content), content)
        )
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lowered = head.lower()
            start = lowered.index(b"content-length:") + 15
            length = int(lowered[start : lowered.index(b"\r\n", start)])
            found = await reader.readexactly(length)
        except (asyncio.IncompleteReadError, ValueError) as error:
            await self.close()
            raise ConnectionError("the answer broke off") from error
        if b"\r\nconnection: close" in lowered:
            # As nginx does after every thousandth request.
            await self.close()
        return int(head[9:12]), orjson.loads(found) if found else None

    async def close(self) -> None:
        """Let go of the connection."""
        if self._writer is not None:
            self._writer.close()
            self._reader = self._writer = None
