"""Which of a telemetry's records stand in which file, and which are still to be written.

Two guards, neither of which a recording thread ever waits for: ``books`` for the short moments in which
records are counted, copied or cut off, ``disk`` for the long ones in which a file is formatted and written.
"""

from __future__ import annotations

import _thread
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from clamp_analytics.recorder import files, store
from clamp_analytics.recorder.deferral import Guard
from clamp_analytics.recorder.store import View
from clamp_analytics.recorder.text import session_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clamp_analytics.recorder.store import Store, Token


class State(NamedTuple):
    """How far a file reaches: the place after its last row, and the cycles that were open.

    Two files of the same state would say the same.
    """

    place: int
    open_tokens: frozenset[Token]


class Session:
    """The records in memory and their files.

    Args:
        directory: where files go; created with the first one. Taken as it is meant now, so that a later
            change of the working directory moves nothing.
        hint: beginning of the file names.
        tickets: where the tickets of cycles come from.
    """

    def __init__(self, directory: str | os.PathLike[str], hint: str, tickets: Iterator[int]) -> None:
        self.folder = Path(directory).absolute()
        self.hint = hint
        self.shift = 0
        self._tickets = tickets
        self._folder_existed = self.folder.is_dir()
        self._orphans: list[Store] = []
        self._start_anew()

    def _start_anew(self) -> None:
        self.store = store.Store(self._tickets)
        self.disk = Guard()
        self.books = Guard()
        self._checkpoint_path: Path | None = None
        self._checkpointed: State | None = None
        # Places count all values that the store ever held, so that they stay true when old rows are cut off.
        self._first_place = 0
        self._written_place = 0
        self._written_tokens: frozenset[Token] = frozenset()
        # Rows that were cut off and are not written yet, and the lock that is taken as long as there are any.
        self._batch: tuple[int, list[Any]] | None = None
        self.room = _thread.allocate_lock()

    def leave_to_parent(self) -> None:
        """Begin with no records and no file in a forked child; what was there is the parent's."""
        # Kept, not freed: freeing a million records would copy every page that parent and child share.
        self._orphans.append(self.store)
        self._start_anew()

    # -- what there is ------------------------------------------------------------------------------------

    def everything(self) -> View:
        """Everything that is in memory and not on its way into a file of its own."""
        return self._look(0, frozenset(), batch=False)[0]

    def _unwritten(self, *, batch: bool) -> tuple[View, State]:
        """What no file holds yet."""
        return self._look(self._written_place, self._written_tokens, batch=batch)

    def _look(self, place: int, known: frozenset[Token], *, batch: bool) -> tuple[View, State]:
        """What is there from a place on, without known open cycles, with or without the rows that were cut off."""
        with self.books:
            # The open cycles first: one that ends in between is then in both, never in neither.
            tokens = self.store.open_tokens()
            rows = self.store.rows[max(place - self._first_place, 0) :]
            end = max(place, self._first_place) + len(rows)
            if batch:
                rows = self._batch_rows() + rows
        tokens = store.without_finished(tokens, rows)
        fresh = [token for token in tokens if token not in known]
        return self._view(rows, fresh), State(end, frozenset(tokens))

    def _batch_rows(self) -> list[Any]:
        """The rows that were cut off, as far as no file holds them yet."""
        if self._batch is None:
            return []
        place, rows = self._batch
        return rows[max(self._written_place - place, 0) :]

    def _view(self, rows: list[Any], tokens: list[Token]) -> View:
        return View(rows, tokens, self.store.seed_key, self.shift)

    # -- files --------------------------------------------------------------------------------------------

    def write_all(self, directory: str | os.PathLike[str] | None, hint: str | None) -> Path:
        """Write everything that is in memory into one file, which takes the place of the checkpoint."""
        with self.disk:
            if directory is None and hint is None:
                self._write_batch()
                view, state = self._look(0, frozenset(), batch=True)
                path = self._publish(view)
                self._settle(state)
                return path
            view, state = self._look(0, frozenset(), batch=True)
            path = self._publish_elsewhere(view, directory, self.hint if hint is None else hint)
            checkpoint = self._checkpoint_path
            self._settle(state)
            if checkpoint is not None:
                checkpoint.unlink(missing_ok=True)
        return path

    def write_rest(self) -> Path | None:
        """Write what no file holds yet, if there is anything; it takes the place of the checkpoint."""
        with self.disk:
            view, state = self._unwritten(batch=True)
            if view.count == 0 and self._checkpoint_path is None:
                return None
            path = self._publish(view)
            self._settle(state)
        return path

    def write_checkpoint(self) -> None:
        """Bring the checkpoint file up to date with what no other file holds yet, if anything has changed."""
        with self.disk:
            state = self._state()
            if self._checkpoint_path is None or state != self._checkpointed:
                self._write_checkpoint(batch=True)
                self._checkpointed = state

    def write_batch(self) -> None:
        """Write the rows that were cut off, if there are any, as far as no file holds them yet."""
        with self.disk:
            self._write_batch()

    @property
    def has_batch(self) -> bool:
        """Whether rows were cut off that are not written yet."""
        return self._batch is not None

    def _state(self) -> State:
        with self.books:
            return State(self._first_place + len(self.store.rows), frozenset(self.store.open_tokens()))

    def _write_checkpoint(self, *, batch: bool) -> None:
        view = self._unwritten(batch=batch)[0]
        if view.count:
            self._checkpoint_path = self._publish(view)

    def _write_batch(self) -> None:
        if self._batch is None:
            return
        view = self._view(self._batch_rows(), [])
        old = self._checkpoint_path
        if view.count and old is None:
            self._publish(view)
        elif view.count and old is not None:
            # The checkpoint holds the batch and newer records; those get a file before it loses them.
            self._checkpoint_path = self._checkpointed = None
            try:
                self._write_checkpoint(batch=False)
                files.publish_over(old, session_chunks(view))
            except BaseException:
                self._checkpoint_path = self._checkpoint_path or old
                raise
        self._batch = None
        self.room.release()

    def _publish(self, view: View) -> Path:
        """Write a view into the checkpoint's file where there is one, or else into a new one.

        A checkpoint has its final name from the start, so that at no time two files hold the same records.
        """
        files.prepare_folder(self.folder, existed=self._folder_existed)
        self._folder_existed = True
        if self._checkpoint_path is None:
            return files.publish_new(self.folder, self.hint, session_chunks(view))
        files.publish_over(self._checkpoint_path, session_chunks(view))
        return self._checkpoint_path

    def _publish_elsewhere(self, view: View, directory: str | os.PathLike[str] | None, hint: str) -> Path:
        folder = self.folder if directory is None else Path(directory).absolute()
        files.prepare_folder(folder, existed=directory is None and self._folder_existed)
        return files.publish_new(folder, hint, session_chunks(view))

    def _settle(self, state: State) -> None:
        with self.books:
            self._checkpoint_path = None
            self._written_place = state.place
            self._written_tokens = state.open_tokens

    # -- limits -------------------------------------------------------------------------------------------

    def cut(self, values: int) -> None:
        """Take the oldest rows out of memory, to be written soon; the caller has taken ``room``.

        Args:
            values: how many values of the list; a whole number of rows.
        """
        with self.books:
            rows = self.store.rows
            # Set aside first, so that at no time a row is in neither place.
            self._batch = (self._first_place, rows[:values])
            del rows[:values]
            self._first_place += values
