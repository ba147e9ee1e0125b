"""``EntropyTelemetry``: what a process records, and the files that it becomes."""

from __future__ import annotations

import itertools
import os
from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING, Literal

from clamp_analytics.errors import AnchorError, UsageError
from clamp_analytics.recorder import lifecycle, seeds
from clamp_analytics.recorder.keeper import Keeper
from clamp_analytics.recorder.limits import Dropping, Rolling, Tally
from clamp_analytics.recorder.origins import current_origin
from clamp_analytics.recorder.scores import checked_score
from clamp_analytics.recorder.session import Session
from clamp_analytics.recorder.store import Hold, Record, Row, Store, View
from clamp_analytics.recorder.text import EPOCH, LATEST, records_of, rows_of, session_chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path
    from typing import Any, Self


class EntropyTelemetry:
    """Collects anchor events in memory and writes them as session files.

    Recording takes no lock and does no input or output. A telemetry that was given ``checkpoint``,
    ``write_on_exit``, ``on_sigterm`` or a ``max_records`` that rolls has one background thread, started with
    the first record, and lives as long as the process or until ``close``.

    Args:
        directory: where files go; created with the first file.
        hint: beginning of the file names; characters that do not fit into one become ``_``.
        checkpoint: seconds that the file on disk may be behind memory; None for no file before the end.
        write_on_exit: write what is left when the process ends normally.
        on_sigterm: write what is left on SIGTERM, then do what would have been done without it.
        max_records: how many finished records are kept in memory; None for all of them.
        seed_source: gives the seeds, for deterministic runs; random ones where not given.
        on_full: with ``max_records``: "roll" writes what is there as a session file of its own, "drop" counts
            what comes after it in ``dropped``.
        exit_timeout: seconds that an exit, a SIGTERM or a full memory ever waits for the disk.

    Raises:
        UsageError: an option is out of range, or ``on_sigterm`` was given outside the main thread.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] = "telemetry",
        hint: str = "clamp_run",
        *,
        checkpoint: float | None = None,
        write_on_exit: bool = False,
        on_sigterm: bool = False,
        max_records: int | None = None,
        seed_source: Callable[[], int] | None = None,
        on_full: Literal["roll", "drop"] = "roll",
        exit_timeout: float = 5.0,
    ) -> None:
        _require(checkpoint is None or checkpoint > 0, "checkpoint", checkpoint, "seconds above 0, or None")
        _require(max_records is None or max_records > 0, "max_records", max_records, "1 or more, or None")
        _require(on_full in {"roll", "drop"}, "on_full", on_full, '"roll" or "drop"')
        _require(exit_timeout > 0, "exit_timeout", exit_timeout, "seconds above 0")
        self._max_records = max_records
        self._on_full = on_full
        self._checkpoint = checkpoint
        self._exit_timeout = exit_timeout
        self._writes_rest_at_exit = write_on_exit or checkpoint is not None
        rolls = max_records is not None and on_full == "roll"
        self._serviced = self._writes_rest_at_exit or on_sigterm or rolls
        # What the next cycle is entered into; None where the telemetry is disabled.
        self.store: Store | None
        self._session = Session(directory, hint, seeds.tickets(seed_source))
        self._ids = itertools.count(1)
        self._held: dict[int, Hold] = {}
        self._equip()
        lifecycle.watch(self, on_sigterm=on_sigterm, at_exit=self._serviced)

    @classmethod
    def disabled(cls) -> Self:
        """Return a telemetry that records nothing, at next to no cost.

        Anchors work as ever, ``records`` is empty, and ``write_json`` writes nothing.
        """
        telemetry = cls(os.devnull)
        telemetry.store = None
        return telemetry

    def _equip(self) -> None:
        """Prepare a new store: where its cycles go in the end, and what its first one starts."""
        self.store = store = self._session.store
        self._dropped = Tally()
        self._keeper = Keeper(self._session, self._checkpoint, self._exit_timeout)
        if self._max_records is not None:
            store.finish = (
                Rolling(self._session, self._max_records, self._dropped, self._keeper).finish
                if self._on_full == "roll"
                else Dropping(self._session, self._max_records, self._dropped).finish
            )
        if self._serviced:
            begin, keeper = store.begin, self._keeper

            def begin_first(cycle: Any) -> None:
                begin(cycle)
                store.begin = begin
                keeper.start()
                lifecycle.hook_multiprocessing(self)

            store.begin = begin_first

    @property
    def enabled(self) -> bool:
        """Whether anything is recorded."""
        return self.store is not None

    @property
    def dropped(self) -> int:
        """How many finished records were not kept because memory was full."""
        return self._dropped.total()

    # -- recording ----------------------------------------------------------------------------------------

    def record_acquire(self, context: str, seed: int) -> int:
        """Record that an anchor was locked.

        Args:
            context: name of the anchor.
            seed: its entropy seed, from 1 to 2^64-1.

        Returns:
            What ``record_release`` wants.

        Raises:
            AnchorError: the context or the seed is refused.
        """
        if not isinstance(context, str):
            raise AnchorError(f"{context!r:.100} is no context", hint="give the anchor a name, as a str")
        ticket = ~seeds.checked_seed(seed, context)
        store = self.store
        if store is None:
            return 0
        hold = Hold(store)
        record_id = next(self._ids)
        hold.begin((context, current_origin(), ticket, time_ns(), monotonic_ns()))
        self._held[record_id] = hold
        return record_id

    def record_release(self, record_id: int, stability_score: float = 1.0) -> None:
        """Record that an anchor was released.

        Args:
            record_id: what ``record_acquire`` returned.
            stability_score: from 0 to 1.

        Raises:
            AnchorError: the score is refused, or nothing is held under that id; nothing has changed then.
        """
        stop = monotonic_ns()
        score = checked_score(stability_score, f"record {record_id}")
        if self.store is None:
            return
        # `pop` is one atomic step: of two threads that release the same id, one gets the error.
        hold = self._held.pop(record_id, None)
        if hold is None:
            raise AnchorError(
                "a record was released that is not held",
                where=f"record {record_id!r:.100}",
                hint="release each id that record_acquire returned once",
            )
        hold.finish(stop, score)

    # -- reading ------------------------------------------------------------------------------------------

    def _view(self) -> View:
        return View([], [], b"", 0) if self.store is None else self._session.everything()

    def records(self) -> list[Record]:
        """Return what is in memory, in order of acquisition, anchors that are in flight included."""
        return records_of(self._view())

    def to_json(self) -> str:
        """Return what is in memory as the text of a session file."""
        return b"".join(session_chunks(self._view())).decode()

    # -- changing -----------------------------------------------------------------------------------------

    def merge(self, other: EntropyTelemetry) -> None:
        """Add a copy of the records of another telemetry of this process, or of the parent it was forked from.

        The order is by acquisition; names of threads are unique in a process and stay so. An anchor that
        ``other`` has in flight is in flight in the copy for good.

        Raises:
            AnchorError: ``other`` is this telemetry, whose records would all be there twice.
        """
        if other is self:
            raise AnchorError("a telemetry cannot be merged into itself", hint="merge another one")
        theirs = other._view()
        drawn = seeds.Seeds(theirs.seed_key)
        self._adopt(
            (context, origin, ~drawn.of(ticket), acquired + theirs.shift, start, stop, score)
            for context, origin, ticket, acquired, start, stop, score in theirs.rows()
        )

    def merge_json(self, text: str) -> None:
        """Add the records of a session text that ``to_json`` or ``write_json`` of another process made.

        Names of threads hold the number of their process, so that they stay unique. An anchor that the
        text has in flight stays so.

        Raises:
            AnchorError: the text is not such a session; nothing is added then.
        """
        self._adopt(rows_of(text))

    def _adopt(self, rows: Iterable[Row]) -> None:
        store = self.store
        if store is None:
            return
        for context, origin, ticket, acquired, start, stop, score in rows:
            hold = Hold(store)
            hold.begin((context, origin, ticket, acquired - self._session.shift, start))
            if stop is not None:
                hold.finish(stop, score)

    def align_to_reference(self, reference: datetime) -> None:
        """Shift all timestamps, those of later records too, so that the earliest acquisition is ``reference``.

        Durations stay as they are. Nothing happens as long as there is no record.

        Raises:
            AnchorError: ``reference`` has no time zone, or a timestamp would leave the years 1 to 9999.
        """
        if reference.tzinfo is None or reference.utcoffset() is None:
            raise AnchorError(
                "the reference has no time zone", where=str(reference), hint="give it tzinfo=timezone.utc"
            )
        view = self._view()
        first = view.first_acquired()
        if first is None:
            return
        since = reference - EPOCH
        shift = ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000 - first
        if view.last_moment() + shift > LATEST:
            raise AnchorError("the reference is too late: timestamps would pass the year 9999", where=str(reference))
        self._session.shift = shift

    # -- writing ------------------------------------------------------------------------------------------

    def write_json(self, directory: str | os.PathLike[str] | None = None, hint: str | None = None) -> Path:
        """Write everything that is in memory into one new session file.

        The records stay in memory. What was written this way is not written again by an exit hook, a
        checkpoint or a full memory, but a second call writes it again into a second file.

        Args:
            directory: where to; the telemetry's own where not given.
            hint: beginning of the file name; the telemetry's own where not given.

        Returns:
            The file, with an absolute path; ``os.devnull`` from a disabled telemetry.

        Raises:
            OutputError: nothing was written; the records are kept.
        """
        if self.store is None:
            from pathlib import Path

            return Path(os.devnull)
        return self._session.write_all(directory, hint)

    def close(self) -> None:
        """Write what a normal exit would write, now, and end the background thread and the hooks."""
        self.write_at_exit()
        self._keeper.stop()
        lifecycle.unwatch(self)

    def write_at_exit(self) -> None:
        """Write what the options promise for the end of the process, within ``exit_timeout``."""
        self._keeper.flush(everything=self._writes_rest_at_exit)

    def write_at_signal(self) -> None:
        """Write everything that no file holds yet, within ``exit_timeout``."""
        self._keeper.flush(everything=True)

    def leave_to_parent(self) -> None:
        """Begin with no records in a forked child."""
        if self.store is not None:
            self._session.leave_to_parent()
            self._equip()
            if self._serviced:
                lifecycle.hook_multiprocessing(self)


def _require(fits: bool, option: str, value: object, wanted: str) -> None:
    if not fits:
        raise UsageError(f"{option} is {value!r:.100}", where="EntropyTelemetry", hint=f"give it {wanted}")


class ProcessWide:
    """Holder of the telemetry that anchors use where none is given."""

    __slots__ = ("telemetry",)

    def __init__(self) -> None:
        self.telemetry = EntropyTelemetry()


process_wide = ProcessWide()


def default_telemetry() -> EntropyTelemetry:
    """Return the telemetry that anchors use where none is given."""
    return process_wide.telemetry


def set_default_telemetry(telemetry: EntropyTelemetry) -> EntropyTelemetry:
    """Let anchors that were given no telemetry use this one from their next cycle on.

    Returns:
        The one that was used so far.
    """
    previous, process_wide.telemetry = process_wide.telemetry, telemetry
    return previous
