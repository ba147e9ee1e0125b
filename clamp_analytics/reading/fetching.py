"""Fetch objects ahead of the reader, on threads: a request takes longer to travel than a file takes to decode."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from clamp_analytics.path_names import EscapedName, source_name
from clamp_analytics.reading.executors import wait_for
from clamp_analytics.sources import Rejected, UnreadableError, is_container, size_of
from clamp_analytics.sources.names import SHRINKS
from clamp_analytics.sources.object_storage import Object, ObjectStorage

AHEAD_BYTES = 256_000_000
"""Bytes of objects that are in memory before the reader takes them; one larger object is fetched alone."""

AHEAD_OBJECTS = 8_192
"""Objects that are in memory before the reader takes them: enough to fetch while a batch of small ones is decoded."""

UNKNOWN_BYTES = 2_000_000
"""The size that is assumed of an object that was named instead of listed."""


@dataclass(frozen=True, slots=True)
class RemoteFiles:
    """The objects among the files that are read.

    Attributes:
        storage: where they are.
        objects: each object by its URL.
        concurrency: how many are fetched at once.
    """

    storage: ObjectStorage = field(default_factory=ObjectStorage)
    objects: Mapping[str, Object] = field(default_factory=dict)
    concurrency: int = 64

    def expected_size(self, path: str) -> int:
        """About how many bytes reading a path gives, before it is opened; 0 where that is not known."""
        found = self.objects.get(path)
        size = (found.size or 0) if found else size_of(path)
        return size * SHRINKS if is_container(found.url if found else path) else size

    def with_contents(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | Rejected | None]]:
        """Each path in order, with its content if it is an object."""
        if not self.objects:
            yield from ((path, None) for path in paths)
            return
        pending: deque[tuple[str, int, Future[bytes | Rejected] | None]] = deque()
        in_memory = 0
        with ThreadPoolExecutor(self.concurrency, "fetch") as threads:
            try:
                for path in paths:
                    found = self.objects.get(path)
                    size = 0 if found is None else UNKNOWN_BYTES if found.size is None else found.size
                    while pending and (len(pending) >= AHEAD_OBJECTS or in_memory + size > AHEAD_BYTES):
                        taken, taken_size, future = pending.popleft()
                        in_memory -= taken_size
                        yield taken, _result(future)
                    pending.append((path, size, threads.submit(self._fetch, found) if found else None))
                    in_memory += size
                while pending:
                    taken, _, future = pending.popleft()
                    yield taken, _result(future)
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, found: Object) -> bytes | Rejected:
        try:
            return self.storage.read(found)
        except UnreadableError as error:
            return Rejected(EscapedName(source_name(found.url)), error.rule, str(error))


def _result(future: Future[bytes | Rejected] | None) -> bytes | Rejected | None:
    if future is None:
        return None
    wait_for(future)
    return future.result()
