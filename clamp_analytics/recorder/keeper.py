"""The background thread of a telemetry: checkpoints, rolled sessions, and the last write of a process."""

from __future__ import annotations

import _thread
import queue
from time import monotonic
from typing import TYPE_CHECKING

from clamp_analytics.recorder.warning import warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from clamp_analytics.recorder.session import Session

# A batch that could not be written is tried again after this many seconds.
_RETRY = 1.0


class _Request:
    """Somebody waits for a write."""

    def __init__(self, *, everything: bool) -> None:
        self.everything = everything
        self.done = _thread.allocate_lock()
        self.done.acquire()


class Keeper:
    """Writes files where no thread of the user's waits for them.

    Args:
        session: what is written.
        checkpoint: seconds that the file on disk may be behind; None for no checkpoints.
        patience: seconds that anybody ever waits for the thread.
    """

    def __init__(self, session: Session, checkpoint: float | None, patience: float) -> None:
        self._session = session
        self._checkpoint = checkpoint
        self._patience = patience
        # `put` of this queue may be called from a signal handler or a finalizer.
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._to_start = [True]
        self._stopped = False
        self._complaint = ""
        self._stalled = False

    @property
    def started(self) -> bool:
        """Whether the thread was started in this process."""
        return not self._to_start

    def start(self) -> None:
        """Start the thread, once."""
        try:
            self._to_start.pop()
        except IndexError:
            return
        try:
            # Not threading.Thread: its `start` takes locks that an interrupted thread may hold.
            _thread.start_new_thread(self._run, ())
        except RuntimeError as error:
            self._stopped = True  # the last write is then done by whoever asks for it
            warn(f"no thread for writing telemetry in the background: {error}")

    def roll(self, values: int) -> bool:
        """Have the oldest rows written in the background, once those before them are.

        Args:
            values: how many values of the store's list.

        Returns:
            False if the disk has not taken the rows before them, even after waiting.
        """
        waited = self._session.room.acquire(timeout=0 if self._stalled else self._patience)
        self._stalled = not waited
        if not waited:
            return False
        try:
            self._session.cut(values)
        except BaseException:
            if not self._session.has_batch:  # interrupted before it began
                self._session.room.release()
            raise
        if self._stopped:
            self._attempt(self._session.write_batch)
        else:
            self._requests.put(None)
        return True

    # -- waiting for it -----------------------------------------------------------------------------------

    def flush(self, *, everything: bool) -> bool:
        """Have the pending batch written, and with ``everything`` the rest too, within bounded time.

        Returns:
            Whether it was done in time; where not, a warning says so.
        """
        if not self.started:
            return True  # nothing was recorded in this process
        request = _Request(everything=everything)
        if self._stopped:
            self._serve(request)
            return True
        self._requests.put(request)
        done = request.done.acquire(timeout=self._patience)
        if not done:
            warn(f"telemetry was not written within {self._patience:g} s: {self._session.folder}")
        return done

    def stop(self) -> None:
        """Let the thread end; a later flush is done by its caller."""
        if self.started:
            self._stopped = True
            self._requests.put(None)

    # -- the thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        due = monotonic()
        while not self._stopped:
            try:
                request = self._requests.get(timeout=self._pause(due))
            except queue.Empty:
                request = None
            self._serve(request)
            if self._checkpoint is not None and monotonic() >= due:
                began = monotonic()
                self._attempt(self._session.write_checkpoint)
                cost = monotonic() - began
                # A file is as old as the pause and two writes, its own and its successor's; where writing
                # takes long, it still leaves half of the time to others.
                due = monotonic() + max(0.9 * self._checkpoint - 2 * cost, cost)

    def _pause(self, due: float) -> float | None:
        retry = _RETRY if self._session.has_batch else None
        if self._checkpoint is None:
            return retry
        pause = max(due - monotonic(), 0.0)
        return pause if retry is None else min(pause, retry)

    def _serve(self, request: _Request | None) -> None:
        try:
            self._attempt(self._session.write_batch)
            if request is not None and request.everything:
                self._attempt(self._session.write_rest)
        finally:
            if request is not None:
                request.done.release()

    def _attempt(self, write: Callable[[], object]) -> None:
        try:
            write()
        except Exception as error:  # whatever it is, it must not end the thread: it is told instead
            complaint = str(error)
            self._stalled = self._session.has_batch
            if complaint != self._complaint:
                self._complaint = complaint
                warn(f"telemetry was not written: {complaint}")
        else:
            self._complaint = ""
