"""A server with the interface of S3 for benchmarks: every answer comes after a fixed time, and costs it little.

``python -m benchmarks.object_server FOLDER SECONDS`` serves the files of a folder as the objects below ``files/`` of
any bucket. It prints its port, and what it has served when its standard input is closed.
"""

from __future__ import annotations

import asyncio
import bisect
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

PREFIX = "files/"
PAGE = 1000
"""Entries of one page of a listing, as the services give them."""

_MODIFIED = "Thu, 01 Jan 2026 00:00:00 GMT"


class Objects:
    """Objects in memory, as answers that are ready to be sent.

    Args:
        files: the content of each object by its key.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._keys = sorted(files)
        self._sizes = {key: len(data) for key, data in files.items()}
        self._etags = {key: hashlib.md5(data, usedforsecurity=False).hexdigest() for key, data in files.items()}
        self._answers = {key: self._object(key, data) for key, data in files.items()}
        self.served: Counter[str] = Counter()

    def answer(self, target: str) -> bytes:
        """The answer to a GET of a path with its query."""
        path, _, query = target.partition("?")
        key = path.split("/", 2)[2] if path.count("/") > 1 else ""
        if "list-type" in query:
            self.served["list"] += 1
            return self._listing(parse_qs(query))
        self.served["get"] += 1
        return self._answers.get(key) or b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    def _object(self, key: str, data: bytes) -> bytes:
        head = f'ETag: "{self._etags[key]}"\r\nLast-Modified: {_MODIFIED}\r\nContent-Length: {len(data)}\r\n\r\n'
        return f"HTTP/1.1 200 OK\r\n{head}".encode() + data

    def _listing(self, query: Mapping[str, list[str]]) -> bytes:
        prefix = query.get("prefix", [""])[0]
        start = bisect.bisect_right(self._keys, query.get("continuation-token", [""])[0])
        found = [key for key in self._keys[start:] if key.startswith(prefix)]
        page = found[:PAGE]
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{self._etags[key]}&quot;</ETag><Size>{self._sizes[key]}</Size></Contents>"
            for key in page
        )
        more = len(found) > PAGE
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        body = (
            f'<?xml version="1.0"?><ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}'
            "</ListBucketResult>"
        ).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class _Connection(asyncio.Protocol):
    """One connection; a request is answered after the latency."""

    def __init__(self, objects: Objects, seconds: float) -> None:
        self._objects = objects
        self._seconds = seconds
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(b"\r\n\r\n"):
            target = self._received.split(b" ", 2)[1].decode()
            self._received = b""
            asyncio.get_running_loop().call_later(self._seconds, self._send, target)

    def _send(self, target: str) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._objects.answer(target))


async def serve(folder: Path, seconds: float) -> None:
    """Serve until standard input is closed."""
    objects = Objects({PREFIX + path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(objects, seconds), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    print(json.dumps(objects.served), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2])))
