"""What happens to a cycle that ends when ``max_records`` are in memory."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

from clamp_analytics.recorder.store import WIDTH
from clamp_analytics.recorder.warning import warn

if TYPE_CHECKING:
    from clamp_analytics.recorder.keeper import Keeper
    from clamp_analytics.recorder.session import Session
    from clamp_analytics.recorder.store import Row


class Tally:
    """A count of lost records that a signal handler may interrupt anywhere without losing one."""

    def __init__(self) -> None:
        self._counter = itertools.count()
        self._readings = 0
        self._warned = False
        self._lock = threading.RLock()

    def add(self, reason: str) -> None:
        """Count one more, in one atomic step, and warn of the first."""
        next(self._counter)
        if not self._warned:
            self._warned = True
            warn(reason)

    def total(self) -> int:
        """Return how many were counted; reading counts too, and is taken off again."""
        with self._lock:
            total = next(self._counter) - self._readings
            self._readings += 1
        return total


class Dropping:
    """Beyond the limit, finished cycles are counted and not kept.

    Args:
        session: whose store is limited.
        max_records: how many finished records are kept.
        dropped: counts the others.
    """

    def __init__(self, session: Session, max_records: int, dropped: Tally) -> None:
        self._rows = session.store.rows
        self._most = max_records * WIDTH
        self._dropped = dropped

    def finish(self, row: Row) -> None:
        """Keep or count a finished cycle."""
        if len(self._rows) < self._most:
            self._rows.extend(row)
        else:
            self._dropped.add("telemetry is full: further records are counted (see `dropped`), not kept")


class Rolling:
    """Beyond the limit, what is in memory becomes a session file of its own.

    Args:
        session: whose store is limited.
        max_records: how many finished records one file gets.
        dropped: counts the records for which there is no room because the disk takes no more.
        keeper: writes the files.
    """

    def __init__(self, session: Session, max_records: int, dropped: Tally, keeper: Keeper) -> None:
        self._session = session
        self._store = session.store
        self._rows = session.store.rows
        self._most = max_records * WIDTH
        self._dropped = dropped
        self._keeper = keeper
        self._turn = threading.RLock()
        self._cutting = False

    def finish(self, row: Row) -> None:
        """Keep a finished cycle; write what is there first if there is no room for it."""
        if len(self._rows) < self._most or self._roll():
            self._rows.extend(row)
        else:
            self._dropped.add("the disk does not take telemetry and memory is full: records are dropped")

    def _roll(self) -> bool:
        if self._store is not self._session.store:
            return True  # this cycle began in the parent of a forked process, which records it
        with self._turn:
            # One that records from a signal handler, in the middle of the lines below, goes over the limit.
            if self._cutting or len(self._rows) < self._most:
                return True
            self._cutting = True
            try:
                return self._keeper.roll(self._most)
            finally:
                self._cutting = False
