"""``EntropyTelemetry``, which records the anchor events of a process and writes them as session files."""

from __future__ import annotations

import itertools
import os
from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING, Literal

from clamp_analytics.errors import AnchorError
from clamp_analytics.recorder import seeds
from clamp_analytics.recorder.background_writer import BackgroundWriter
from clamp_analytics.recorder.buffer import Buffer, Record, Row, SingleCycle, Snapshot
from clamp_analytics.recorder.overflow import DropCounter, DropOverflow, RollOverflow
from clamp_analytics.recorder.process import hooks
from clamp_analytics.recorder.session import Session
from clamp_analytics.recorder.session_json import EPOCH, LATEST_ALIGNED, build_records, decode_session
from clamp_analytics.recorder.thread_ids import current_thread_id
from clamp_analytics.recorder.validation import (
    validate_context,
    validate_labels,
    validate_option,
    validate_score,
    validate_seed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from pathlib import Path
    from typing import Any, Self


class EntropyTelemetry:
    """Collects anchor events in memory and writes them as session files.

    Recording takes no lock and does no input or output. With ``checkpoint``, ``write_on_exit``, ``on_sigterm``
    or a ``max_records`` that rolls, the first record starts a background thread, and the telemetry lives until
    the end of the process or until ``close``.

    Args:
        directory: folder of the session files, created with the first file.
        hint: beginning of the file names; characters that are not portable become ``_``.
        checkpoint: seconds that the file on disk may be behind the records in memory; None for no file before the
            end. Where writing takes longer than half of this, because of many records or busy threads, the file may be
            behind by three times as long as it takes.
        write_on_exit: write the remaining records when the process ends normally.
        on_sigterm: write the remaining records on SIGTERM, then do what the process would have done otherwise.
        max_records: number of finished records to keep in memory; None for no limit.
        seed_source: a function that returns the seeds, for reproducible runs; by default seeds are random.
        on_full: what to do when ``max_records`` is reached: "roll" writes the records in memory as a session
            file of their own, "drop" keeps no further records and counts them in ``dropped``.
        exit_timeout: seconds without progress of the disk after which an exit, a SIGTERM or a thread that finds
            memory full stops waiting.
        labels: names and values that identify the run, such as ``{"commit": "1f3a9c"}``. They are written as an
            additional top-level field ``labels``, which readers of the specification ignore.

    Raises:
        UsageError: an option is out of range, or SIGTERM cannot be handled: outside the main thread, without a
            free file descriptor, or if a handler was installed by other code than Python.
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
        labels: Mapping[str, str] | None = None,
    ) -> None:
        validate_option(checkpoint is None or checkpoint > 0, "checkpoint", checkpoint, "seconds above 0, or None")
        validate_option(max_records is None or max_records > 0, "max_records", max_records, "1 or more, or None")
        validate_option(on_full in {"roll", "drop"}, "on_full", on_full, '"roll" or "drop"')
        validate_option(exit_timeout > 0, "exit_timeout", exit_timeout, "seconds above 0")
        self._max_records = max_records
        self._on_full = on_full
        self._checkpoint = checkpoint
        self._exit_timeout = exit_timeout
        self._writes_rest_at_exit = write_on_exit or checkpoint is not None
        rolls = max_records is not None and on_full == "roll"
        self._needs_writer = self._writes_rest_at_exit or on_sigterm or rolls
        # The buffer for the next cycle; None if the telemetry is disabled.
        self.buffer: Buffer | None
        self._session = Session(directory, hint, seeds.seed_indexes(seed_source), validate_labels(labels))
        self._ids = itertools.count(1)
        self._held: dict[int, SingleCycle] = {}
        self._prepare_buffer()
        hooks.register(self, on_sigterm=on_sigterm, at_exit=self._needs_writer)

    @classmethod
    def disabled(cls) -> Self:
        """Return a telemetry that records nothing, at almost no cost.

        Anchors and locks work as usual, ``records`` returns an empty list, and ``write_json`` writes nothing.
        """
        telemetry = cls(os.devnull)
        telemetry.buffer = None
        return telemetry

    def _prepare_buffer(self) -> None:
        """Set up the limit of a new buffer and the services that its first cycle starts."""
        self.buffer = buffer = self._session.buffer
        self._dropped = DropCounter()
        self._writer = BackgroundWriter(self._session, self._checkpoint, self._exit_timeout)
        if self._max_records is not None:
            buffer.overflow = (
                RollOverflow(self._session, self._max_records, self._dropped, self._writer)
                if self._on_full == "roll"
                else DropOverflow(self._session, self._max_records, self._dropped)
            )
        if self._needs_writer:
            # The first cycle replaces the function by the plain one, because a check would cost every later cycle.
            begin, writer = buffer.begin, self._writer

            def begin_first(cycle: Any) -> None:
                begin(cycle)
                buffer.begin = begin
                writer.start()
                hooks.register_with_multiprocessing(self)

            buffer.begin = begin_first

    @property
    def enabled(self) -> bool:
        """Whether the telemetry records anything."""
        return self.buffer is not None

    @property
    def dropped(self) -> int:
        """Number of finished records that were dropped because memory was full."""
        return self._dropped.total()

    # -- recording ----------------------------------------------------------------------------------------

    def record_acquire(self, context: str, seed: int) -> int:
        """Record that an anchor was locked.

        Args:
            context: name of the anchor.
            seed: its entropy seed, from 1 to 2^64-1.

        Returns:
            The id to pass to ``record_release``.

        Raises:
            AnchorError: the context is not a string, or the seed is not an integer in range.
        """
        seed_index = ~validate_seed(seed, validate_context(context))
        buffer = self.buffer
        if buffer is None:
            return 0
        cycle = SingleCycle(buffer)
        record_id = next(self._ids)
        cycle.token = (context, current_thread_id(), seed_index, time_ns(), monotonic_ns())
        self._held[record_id] = cycle
        try:
            cycle.begin()
        except BaseException:  # raised by a signal handler; the caller gets no id
            del self._held[record_id]
            cycle.cancel()
            raise
        return record_id

    def record_release(self, record_id: int, stability_score: float = 1.0) -> None:
        """Record that an anchor was released.

        Args:
            record_id: the id that ``record_acquire`` returned.
            stability_score: from 0 to 1.

        Raises:
            AnchorError: the score is not a number from 0 to 1, or no open record has this id. Nothing has
                changed then.
        """
        stop = monotonic_ns()
        score = validate_score(stability_score, f"record {record_id}")
        if self.buffer is None:
            return
        cycle = self._held.get(record_id)
        try:
            # `pop` is one atomic step: of two threads that release the same id, one gets the error.
            released = self._held.pop(record_id, None)
            if released is None:
                raise AnchorError(
                    "no open record has this id",
                    where=f"record {record_id!r:.100}",
                    hint="release each id that record_acquire returned once",
                )
            released.finish(stop, score)
        except AnchorError:
            raise
        except BaseException:  # raised by a signal handler
            if cycle is not None and cycle.is_open and record_id not in self._held:
                cycle.finish(stop, score)
            raise

    # -- reading ------------------------------------------------------------------------------------------

    def _snapshot(self) -> Snapshot:
        return Snapshot([], [], b"", 0) if self.buffer is None else self._session.snapshot()

    def records(self) -> list[Record]:
        """Return the records in memory in order of acquisition, including anchors in flight."""
        return build_records(self._snapshot())

    def to_json(self) -> str:
        """Return the records in memory as the text of a session file."""
        return b"".join(self._session.encode(self._snapshot())).decode()

    # -- changing -----------------------------------------------------------------------------------------

    def merge(self, other: EntropyTelemetry) -> None:
        """Add a copy of the records of another telemetry of this process, or of the parent it was forked from.

        Thread ids are unique within a process and remain unique. An anchor that is in flight in ``other`` stays
        in flight in the copy forever.

        Args:
            other: the telemetry to copy from.

        Raises:
            AnchorError: ``other`` is this telemetry, whose records would all be duplicated.
        """
        if other is self:
            raise AnchorError("a telemetry cannot be merged into itself", hint="merge another one")
        snapshot = other._snapshot()
        stream = seeds.SeedStream(snapshot.seed_key)
        self._add_rows(
            (context, thread_id, ~stream.seed(seed_index), acquired + snapshot.shift, start, stop, score)
            for context, thread_id, seed_index, acquired, start, stop, score in snapshot.rows()
        )

    def merge_json(self, text: str) -> None:
        """Add the records of a session text from ``to_json`` or ``write_json`` of another process.

        Thread ids contain the process id, so they remain unique. An anchor that is in flight in the text stays
        in flight.

        Args:
            text: the session text.

        Raises:
            AnchorError: the text is not such a session; nothing is added then.
        """
        self._add_rows(decode_session(text))

    def _add_rows(self, rows: Iterable[Row]) -> None:
        buffer = self.buffer
        if buffer is None:
            return
        for context, thread_id, seed_index, acquired, start, stop, score in rows:
            cycle = SingleCycle(buffer)
            cycle.token = (context, thread_id, seed_index, acquired - self._session.shift, start)
            cycle.begin()
            if stop is not None:
                cycle.finish(stop, score)

    def align_to_reference(self, reference: datetime) -> None:
        """Shift all timestamps, including those of later records, so that the earliest acquisition is ``reference``.

        Durations do not change. Without records nothing happens.

        Args:
            reference: a time with a time zone.

        Raises:
            AnchorError: ``reference`` has no time zone, or timestamps would be after the year 9999.
        """
        if reference.tzinfo is None or reference.utcoffset() is None:
            raise AnchorError(
                "the reference has no time zone", where=str(reference), hint="pass a datetime with tzinfo=timezone.utc"
            )
        snapshot = self._snapshot()
        first = snapshot.first_acquired()
        if first is None:
            return
        since = reference - EPOCH
        shift = ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000 - first
        if snapshot.last_released() + shift > LATEST_ALIGNED:
            raise AnchorError(
                "the reference is too late: timestamps would be after the year 9999", where=str(reference)
            )
        self._session.shift = shift

    # -- writing ------------------------------------------------------------------------------------------

    def write_json(self, directory: str | os.PathLike[str] | None = None, hint: str | None = None) -> Path:
        """Write all records in memory into a new session file.

        The records stay in memory. An exit hook, a checkpoint or a full memory does not write them again, but a
        second call writes them again into a second file.

        Args:
            directory: folder of the file; by default that of the telemetry.
            hint: beginning of the file name; by default that of the telemetry.

        Returns:
            The absolute path of the file; ``os.devnull`` if the telemetry is disabled.

        Raises:
            OutputError: the file could not be written; the records are kept.
        """
        if self.buffer is None:
            from pathlib import Path

            return Path(os.devnull)
        return self._session.write_all(directory, hint)

    def close(self) -> None:
        """Write now what the end of the process would write, and stop the background thread and the hooks."""
        self._writer.flush(everything=self._writes_rest_at_exit)
        self._writer.stop()
        hooks.unregister(self)

    # -- called by the hooks of the process ---------------------------------------------------------------

    def write_at_exit(self) -> None:
        """Write what the options promise for the end of the process; the exit hook calls this."""
        self._writer.finish(everything=self._writes_rest_at_exit)

    def write_at_signal(self, *, process_ends: bool) -> None:
        """Write all records that are in no file yet; the SIGTERM handler calls this."""
        if process_ends:
            self._writer.finish(everything=True)
        else:
            self._writer.flush(everything=True)

    def reset_after_fork(self) -> None:
        """Start without records in a forked child; the fork hook calls this."""
        if self.buffer is not None:
            self._session.reset_after_fork()
            self._prepare_buffer()
            if self._needs_writer:
                hooks.register_with_multiprocessing(self)


class DefaultTelemetry:
    """Holds the telemetry of anchors and locks that were created without one."""

    __slots__ = ("telemetry",)

    def __init__(self) -> None:
        self.telemetry = EntropyTelemetry()


default = DefaultTelemetry()


def default_telemetry() -> EntropyTelemetry:
    """Return the process-wide telemetry, which anchors and locks use by default."""
    return default.telemetry


def set_default_telemetry(telemetry: EntropyTelemetry) -> EntropyTelemetry:
    """Replace the process-wide telemetry; anchors and locks use the new one from their next cycle on.

    Args:
        telemetry: the new process-wide telemetry.

    Returns:
        The previous one.
    """
    previous, default.telemetry = default.telemetry, telemetry
    return previous
