"""The files of a telemetry: which records are in which file, and which are not written yet.

There are two locks, and no recording thread waits for either of them in normal operation. ``_state_lock`` is
held for the short time in which records are counted, copied or detached, ``_file_lock`` for the long time in
which a file is formatted and written.
"""

from __future__ import annotations

import _thread
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from clamp_analytics.recorder import buffer, files
from clamp_analytics.recorder.buffer import Snapshot
from clamp_analytics.recorder.process.signal_lock import SignalLock
from clamp_analytics.recorder.session_json import encode_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clamp_analytics.recorder.buffer import Buffer, Token


class Extent(NamedTuple):
    """The records that a file covers: the rows before an offset, and the cycles that were open.

    Two files with the same extent would have the same content.
    """

    end: int
    open_tokens: frozenset[Token]


class Session:
    """The records in memory and their files.

    Args:
        directory: folder of the files, created with the first one. A relative path is resolved now, so that a
            later change of the working directory has no effect.
        hint: beginning of the file names.
        seed_indexes: yields a seed index for each cycle.
        labels: written at the top of each file.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        hint: str,
        seed_indexes: Iterator[int],
        labels: Mapping[str, str] | None,
    ) -> None:
        self.folder = Path(directory).absolute()
        self.hint = hint
        self.shift = 0
        # Counts steps of writing, so that a caller who waits sees whether the writer makes progress.
        self.progress = 0
        self._labels = labels
        self._seed_indexes = seed_indexes
        self._folder_existed = self.folder.is_dir()
        self._parent_buffers: list[Buffer] = []
        self._reset()

    def _reset(self) -> None:
        self.buffer = buffer.Buffer(self._seed_indexes)
        self._file_lock = SignalLock()
        self._state_lock = SignalLock()
        self._checkpoint_path: Path | None = None
        self._checkpoint_extent: Extent | None = None
        # Offsets count the values that were ever added to the buffer, so they stay valid when rows are detached.
        self._buffer_offset = 0
        self._written_offset = 0
        self._written_tokens: frozenset[Token] = frozenset()
        # The batch: detached rows that are not written yet, with their offset. `batch_slot` is held while there
        # is one.
        self._batch: tuple[int, list[Any]] | None = None
        self.batch_slot = _thread.allocate_lock()

    def reset_after_fork(self) -> None:
        """Start without records and files in a forked child; the existing ones belong to the parent."""
        # Kept, not freed: freeing a million records would copy every memory page that parent and child share.
        self._parent_buffers.append(self.buffer)
        self._reset()

    # -- snapshots ----------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return everything in memory, except for rows that were detached to be written."""
        return self._capture(0, frozenset(), batch=False)[0]

    def _unwritten(self, *, batch: bool) -> tuple[Snapshot, Extent]:
        """Return the records that are in no file yet."""
        return self._capture(self._written_offset, self._written_tokens, batch=batch)

    def _capture(self, offset: int, known: frozenset[Token], *, batch: bool) -> tuple[Snapshot, Extent]:
        """Return the rows from an offset on and the open cycles that are not known, optionally with the batch."""
        with self._state_lock:
            # The open cycles first: a cycle that ends meanwhile is then in both, and never in neither.
            tokens = self.buffer.open_tokens()
            rows = buffer.copy_rows(self.buffer.rows, max(offset - self._buffer_offset, 0))
            end = max(offset, self._buffer_offset) + len(rows)
            if batch:
                rows = self._batch_rows() + rows
        self._count_step()
        tokens = buffer.without_finished(tokens, rows)
        new_tokens = [token for token in tokens if token not in known]
        return self._snapshot(rows, new_tokens), Extent(end, frozenset(tokens))

    def _batch_rows(self) -> list[Any]:
        """Return the rows of the batch that are in no file yet."""
        if self._batch is None:
            return []
        offset, rows = self._batch
        return rows[max(self._written_offset - offset, 0) :]

    def _snapshot(self, rows: list[Any], tokens: list[Token]) -> Snapshot:
        return Snapshot(rows, tokens, self.buffer.seed_key, self.shift, self._count_step)

    def _count_step(self) -> None:
        self.progress += 1

    def encode(self, snapshot: Snapshot) -> Iterator[bytes]:
        """Yield the text of a session file in chunks."""
        for chunk in encode_session(snapshot, self._labels):
            yield chunk
            self._count_step()

    # -- files --------------------------------------------------------------------------------------------

    def write_all(self, directory: str | os.PathLike[str] | None, hint: str | None) -> Path:
        """Write everything in memory into one file, which replaces the checkpoint.

        Raises:
            OutputError: the file could not be written.
        """
        with self._file_lock:
            if directory is None and hint is None:
                self._write_batch()
                snapshot, extent = self._capture(0, frozenset(), batch=True)
                path = self._publish(snapshot)
                self._mark_written(extent)
                return path
            snapshot, extent = self._capture(0, frozenset(), batch=True)
            path = self._publish_elsewhere(snapshot, directory, self.hint if hint is None else hint)
            checkpoint = self._checkpoint_path
            self._mark_written(extent)
            if checkpoint is not None:
                checkpoint.unlink(missing_ok=True)
        return path

    def write_remaining(self) -> Path | None:
        """Write the records that are in no file yet, if any; the file replaces the checkpoint.

        Raises:
            OutputError: the file could not be written.
        """
        with self._file_lock:
            snapshot, extent = self._unwritten(batch=True)
            if snapshot.count == 0 and self._checkpoint_path is None:
                return None
            path = self._publish(snapshot)
            self._mark_written(extent)
        return path

    def write_checkpoint(self) -> None:
        """Update the checkpoint file with the records that are in no other file, if anything has changed.

        Raises:
            OutputError: the file could not be written.
        """
        with self._file_lock:
            extent = self._extent()
            if self._checkpoint_path is None or extent != self._checkpoint_extent:
                self._write_checkpoint(batch=True)
                self._checkpoint_extent = extent

    def write_batch(self) -> None:
        """Write the detached rows that are in no file yet, if any.

        Raises:
            OutputError: the file could not be written.
        """
        with self._file_lock:
            self._write_batch()

    @property
    def has_batch(self) -> bool:
        """Whether there are detached rows that are not written yet."""
        return self._batch is not None

    def _extent(self) -> Extent:
        with self._state_lock:
            return Extent(self._buffer_offset + len(self.buffer.rows), frozenset(self.buffer.open_tokens()))

    def _write_checkpoint(self, *, batch: bool) -> None:
        snapshot = self._unwritten(batch=batch)[0]
        if snapshot.count:
            self._checkpoint_path = self._publish(snapshot, sync_folder=False)

    def _write_batch(self) -> None:
        if self._batch is None:
            return
        snapshot = self._snapshot(self._batch_rows(), [])
        checkpoint = self._checkpoint_path
        if snapshot.count and checkpoint is None:
            self._publish(snapshot)
        elif snapshot.count and checkpoint is not None:
            # The checkpoint holds the batch and newer records; the newer ones get a new file before the old one
            # is replaced by the batch alone.
            self._checkpoint_path = self._checkpoint_extent = None
            try:
                self._write_checkpoint(batch=False)
                files.replace_file(checkpoint, self.encode(snapshot))
            except BaseException:
                self._checkpoint_path = self._checkpoint_path or checkpoint
                raise
        self._batch = None
        self.batch_slot.release()

    def _publish(self, snapshot: Snapshot, *, sync_folder: bool = True) -> Path:
        """Write a snapshot into the checkpoint file if there is one, otherwise into a new file.

        A checkpoint has its final name from the start, so two files never hold the same records.
        """
        if not self._folder_existed:
            files.create_folder(self.folder)
            self._folder_existed = True
        if self._checkpoint_path is None:
            return files.publish_new(self.folder, files.session_names(self.hint), self.encode(snapshot))
        files.replace_file(self._checkpoint_path, self.encode(snapshot), sync_folder=sync_folder)
        return self._checkpoint_path

    def _publish_elsewhere(self, snapshot: Snapshot, directory: str | os.PathLike[str] | None, hint: str) -> Path:
        folder = self.folder if directory is None else Path(directory).absolute()
        if directory is not None or not self._folder_existed:
            files.create_folder(folder)
        return files.publish_new(folder, files.session_names(hint), self.encode(snapshot))

    def _mark_written(self, extent: Extent) -> None:
        with self._state_lock:
            self._checkpoint_path = None
            self._written_offset = extent.end
            self._written_tokens = extent.open_tokens

    # -- limits -------------------------------------------------------------------------------------------

    def detach_oldest(self, values: int) -> None:
        """Move the oldest rows from the buffer to the batch; the caller holds ``batch_slot``.

        Args:
            values: number of values in the buffer's list; a whole number of rows.
        """
        with self._state_lock:
            rows = self.buffer.rows
            # Copied first, so that a row is in the buffer or in the batch at every moment.
            self._batch = (self._buffer_offset, rows[:values])
            del rows[:values]
            self._buffer_offset += values
