"""``LargeFileTask``: read a large file window by window, in memory that does not grow with its size.

Only the native decoder does so, and it knows after the last window whether it accepts the file. A file that it does not
accept, and any file where it is not installed, is read in one piece.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from clamp_analytics.batch import Batch
from clamp_analytics.decode.accepted import DoubtfulError, decode_large
from clamp_analytics.decode.decoded_files import batch_of
from clamp_analytics.decode.kernel import Kernel, load_kernel
from clamp_analytics.path_names import source_name
from clamp_analytics.reading.labels import with_labels
from clamp_analytics.reading.task import ReadRequest, Task, TaskResult, ledger_of
from clamp_analytics.sources import UnreadableError
from clamp_analytics.sources.files import file_digest

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class LargeFileTask(Generic[Result]):
    """A large file, and the function that reduces its batches: the session, and then the records of each window.

    Attributes:
        path: the file.
        request: what to read of it.
        reduce: the function.
        window_bytes: how many bytes are read at once.
    """

    path: str
    request: ReadRequest
    reduce: Callable[[Batch], Result]
    window_bytes: int

    @property
    def paths(self) -> tuple[str, ...]:
        """The file that it reads."""
        return (self.path,)

    def __call__(self) -> list[TaskResult[Result]]:
        """Read, decode and reduce the file."""
        if kernel := load_kernel():
            try:
                return self._read_in_windows(kernel)
            except (DoubtfulError, OSError, UnreadableError):
                # Reading it in one piece reports the reason.
                pass
        return Task(self.paths, self.request, self.reduce)()

    def _read_in_windows(self, kernel: Kernel) -> list[TaskResult[Result]]:
        version = _version(self.path)
        session_id = file_digest(self.path).hex() if self.request.session_ids else None
        columns = self.request.columns
        source = source_name(self.path)
        results: list[TaskResult[Result]] = []
        for decoded in decode_large(
            kernel, self.path, source, columns, session_id=session_id, window_bytes=self.window_bytes
        ):
            batch = with_labels(batch_of([decoded], columns), self.request.labels)
            results.append(TaskResult(self.reduce(batch), ledger_of(batch)))
        if _version(self.path) != version:
            raise DoubtfulError
        # The session is known last and comes first.
        return [results[-1], *results[:-1]]


def _version(path: str) -> tuple[int, int, int]:
    """What changes when a file is written or replaced."""
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns
