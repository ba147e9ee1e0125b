"""The background thread of a telemetry: it writes checkpoints, full sessions, and the last file of a process."""

from __future__ import annotations

import _thread
import contextlib
import queue
from time import monotonic, thread_time
from typing import TYPE_CHECKING

from clamp_analytics.recorder.warning import warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from clamp_analytics.recorder.session import Session

# Seconds until a batch that could not be written is tried again.
_RETRY_PAUSE = 1.0


class _Request:
    """A request to write, whose sender waits until it is done; the thread ends after the last one."""

    def __init__(self, *, everything: bool, last: bool) -> None:
        self.everything = everything
        self.last = last
        self.done = _thread.allocate_lock()
        self.done.acquire()


class BackgroundWriter:
    """Writes the files of a session, so that no thread of the program waits for them.

    Args:
        session: the session to write.
        checkpoint: seconds between checkpoints; None for no checkpoints.
        timeout: seconds without progress after which a caller stops waiting for the thread.
    """

    def __init__(self, session: Session, checkpoint: float | None, timeout: float) -> None:
        self._session = session
        self._checkpoint = checkpoint
        self._timeout = timeout
        # `put` of this queue may be called from a signal handler or a finalizer.
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._not_started = [True]
        self._stopped = False
        self._finishing = False
        self._last_error = ""
        self._disk_stalled = False

    @property
    def started(self) -> bool:
        """Whether the thread was started in this process."""
        return not self._not_started

    def start(self) -> None:
        """Start the thread unless it was started before."""
        try:
            self._not_started.pop()  # one atomic step: of two threads that call this, one gets here first
        except IndexError:
            return
        try:
            # Not threading.Thread: its `start` takes locks that an interrupted thread may hold.
            _thread.start_new_thread(self._run, ())
        except RuntimeError as error:
            self._stopped = True  # callers then write by themselves
            warn(f"no thread for writing telemetry in the background: {error}")

    def write_oldest(self, values: int) -> bool:
        """Detach the oldest rows and have them written in the background, after the batch before them.

        Args:
            values: number of values in the buffer's list.

        Returns:
            False if the batch before them is still not written after the timeout.
        """
        if self._finishing:
            return True  # the process ends: the rows stay in the buffer
        slot = self._session.batch_slot
        acquired = slot.acquire(blocking=False) if self._disk_stalled else self._wait(slot)
        self._disk_stalled = not acquired
        if not acquired:
            return False
        try:
            self._session.detach_oldest(values)
        except BaseException:
            if not self._session.has_batch:  # interrupted before it began
                self._session.batch_slot.release()
            raise
        if self._stopped:
            self._attempt(self._session.write_batch)
        else:
            self._requests.put(None)
        return True

    # -- waiting for the thread ---------------------------------------------------------------------------

    def flush(self, *, everything: bool) -> bool:
        """Wait until the pending batch is written, and with ``everything`` all other unwritten records too.

        Returns:
            Whether that was done; if the thread made no progress for the timeout, a warning says so.
        """
        return self._request(_Request(everything=everything, last=False))

    def finish(self, *, everything: bool) -> None:
        """Flush for the last time, because the process ends next: no file is written after that.

        A file that was being written at the end would leave a temporary file, and a cycle that finished meanwhile
        would be in two files.
        """
        self._finishing = True
        self._request(_Request(everything=everything, last=True))

    def _request(self, request: _Request) -> bool:
        if not self.started:
            return True  # nothing was recorded in this process
        self._requests.put(request)
        if self._stopped:
            self._process_pending()
        done = self._wait(request.done)
        if not done:
            warn(f"telemetry was not written within {self._timeout:g} s: {self._session.folder}")
        return done

    def _wait(self, lock: _thread.LockType) -> bool:
        """Acquire a lock that the thread releases; give up when the timeout passes without progress.

        Busy threads of the program can slow the writer down to a fraction of its speed, so the time that it
        takes says little about the disk.
        """
        while True:
            progress = self._session.progress
            if lock.acquire(timeout=self._timeout):
                return True
            if self._session.progress == progress:
                return False

    def stop(self) -> None:
        """Let the thread end; later calls of ``flush`` write in the calling thread."""
        if self.started:
            self._stopped = True
            self._requests.put(None)

    # -- in the thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._write_requests()
        self._process_pending()

    def _write_requests(self) -> None:
        due = monotonic()
        while not self._stopped:
            try:
                request = self._requests.get(timeout=self._pause(due))
            except queue.Empty:
                request = None
            self._process(request)
            if self._checkpoint is not None and not self._stopped and monotonic() >= due:
                began, worked = monotonic(), thread_time()
                self._attempt(self._session.write_checkpoint)
                elapsed, worked = monotonic() - began, thread_time() - worked
                # The file gets as old as the pause plus two writes, its own and that of its successor. Where a
                # write takes long, the pause is at least as long as the processor time of the write.
                due = monotonic() + max(0.9 * self._checkpoint - 2 * elapsed, worked)

    def _pause(self, due: float) -> float | None:
        retry = _RETRY_PAUSE if self._session.has_batch else None
        if self._checkpoint is None:
            return retry
        pause = max(due - monotonic(), 0.0)
        return pause if retry is None else min(pause, retry)

    def _process(self, request: _Request | None) -> None:
        try:
            self._attempt(self._session.write_batch)
            if request is not None and request.everything:
                self._attempt(self._session.write_remaining)
        finally:
            if request is not None:
                self._stopped = self._stopped or request.last
                request.done.release()

    def _process_pending(self) -> None:
        """Process the requests that no one else took: the thread calls this at its end, and callers after it."""
        with contextlib.suppress(queue.Empty):
            while True:
                request = self._requests.get_nowait()
                if request is not None:
                    self._process(request)

    def _attempt(self, write: Callable[[], object]) -> None:
        try:
            write()
        except Exception as error:  # of any kind: it becomes a warning, since it must not end the thread
            message = str(error)
            self._disk_stalled = self._session.has_batch
            if message != self._last_error:
                self._last_error = message
                warn(f"telemetry was not written: {message}")
        else:
            self._last_error = ""
