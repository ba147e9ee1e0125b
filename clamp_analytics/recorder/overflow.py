"""What happens to a finished cycle when ``max_records`` records are in memory."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

from clamp_analytics.recorder.buffer import WIDTH
from clamp_analytics.recorder.warning import warn

if TYPE_CHECKING:
    from clamp_analytics.recorder.background_writer import BackgroundWriter
    from clamp_analytics.recorder.session import Session


class DropCounter:
    """Counts dropped records; a signal handler may interrupt it anywhere without losing one."""

    def __init__(self) -> None:
        self._counter = itertools.count()
        self._reads = 0
        self._warned = False
        self._lock = threading.RLock()

    def add(self, reason: str) -> None:
        """Count one record, in one atomic step, and warn about the first one."""
        next(self._counter)
        if not self._warned:
            self._warned = True
            warn(reason)

    def total(self) -> int:
        """Return the count. Reading the counter advances it, so the reads are subtracted."""
        with self._lock:
            total = next(self._counter) - self._reads
            self._reads += 1
        return total


class DropOverflow:
    """Counts the finished cycles beyond the limit and does not keep them.

    Args:
        session: the session whose buffer is limited.
        max_records: number of finished records to keep.
        dropped: counts the others.
    """

    def __init__(self, session: Session, max_records: int, dropped: DropCounter) -> None:
        self._rows = session.buffer.rows
        self._limit = max_records * WIDTH
        self._dropped = dropped

    def has_room(self) -> bool:
        """Return whether the buffer is below its limit; if not, count a dropped record."""
        if len(self._rows) < self._limit:
            return True
        self._dropped.add("telemetry is full: further records are counted (see `dropped`), not kept")
        return False


class RollOverflow:
    """Writes the records in memory as a session file of their own when the limit is reached.

    Args:
        session: the session whose buffer is limited.
        max_records: number of finished records per file.
        dropped: counts the records that are dropped because the disk accepts no more data.
        writer: writes the files.
    """

    def __init__(self, session: Session, max_records: int, dropped: DropCounter, writer: BackgroundWriter) -> None:
        self._session = session
        self._buffer = session.buffer
        self._rows = session.buffer.rows
        self._limit = max_records * WIDTH
        self._dropped = dropped
        self._writer = writer
        self._lock = threading.RLock()
        self._rolling = False

    def has_room(self) -> bool:
        """Return whether there is room, after handing a full buffer to the writer; if not, count a dropped record."""
        if len(self._rows) < self._limit or self._make_room():
            return True
        self._dropped.add("the disk accepts no telemetry and memory is full: records are dropped")
        return False

    def _make_room(self) -> bool:
        if self._buffer is not self._session.buffer:
            return True  # this cycle began in the parent of a forked process, which records it
        with self._lock:
            # A signal handler that records while the lines below run may exceed the limit.
            if self._rolling or len(self._rows) < self._limit:
                return True
            self._rolling = True
            try:
                return self._writer.write_oldest(self._limit)
            finally:
                self._rolling = False
