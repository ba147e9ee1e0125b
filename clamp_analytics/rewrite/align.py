"""Alignment: all sessions shifted to one reference, so that those of different hosts can be laid side by side.

A session's shift is what brings its earliest usable acquisition to the reference, as
``EntropyTelemetry::alignToReference`` does it (specification, "Reproducibility Criteria").
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from clamp_analytics.atomic_files import check_absent, display_name, make_folder, publish
from clamp_analytics.decode import timestamps
from clamp_analytics.errors import UsageError
from clamp_analytics.reading import Counts
from clamp_analytics.reading.reader import Sources
from clamp_analytics.rewrite.document import Document, Rejected, read_document, session_files
from clamp_analytics.sources import COMPRESSED_ENDINGS, DEFAULT_LIMITS, STDIN, ContainerLimits

STAMPS = ("acquired_at", "released_at")
"""The fields that are shifted."""

STDIN_FILE = "stdin.json"
"""The name of the file that standard input becomes."""

_FORM = "%Y-%m-%dT%H:%M:%S%.6fZ"
_FRACTION = re.compile(rb"[.,]([0-9]+)")
_FIRST = pl.datetime(1, 1, 1, time_unit="us", time_zone="UTC")
_LAST = pl.datetime(9999, 12, 31, 23, 59, 59, 999_999, time_unit="us", time_zone="UTC")


@dataclass(frozen=True, slots=True)
class Aligned:
    """What became of the files.

    Attributes:
        counts: files seen, loaded, rejected and skipped.
        written: the new files, in the order of the sources.
        rejected: the sources that no file was written for, and why.
        renamed: the sources that could not keep their name, with the name that their file got.
        unaligned: sources without a usable acquisition, whose files were copied as they are.
        finer: sources whose timestamps got digits that were never measured, because the reference has more.
    """

    counts: Counts
    written: list[Path] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    unaligned: list[str] = field(default_factory=list)
    finer: list[str] = field(default_factory=list)


def instant(text: str) -> datetime:
    """The instant that a timestamp names, by the reader's own rules: without a zone it is UTC.

    Raises:
        UsageError: it is no timestamp.
    """
    found: datetime | None = timestamps.parse(pl.Series([text]), "at")["at"].item()
    if found is None:
        raise UsageError(
            f"{text!r} is no ISO 8601 date and time", where="--to", hint="write it like 2026-01-01T00:00:00Z"
        )
    return found


def align(records: pl.DataFrame, to: datetime) -> pl.DataFrame:
    """Shift the timestamps of each session so that its earliest acquisition is ``to``.

    Args:
        records: rows of the table ``records`` with ``source`` and ``acquired_at`` at least.
        to: the reference, with its time zone.

    Returns:
        The same rows and columns. A session without a usable acquisition stays as it is, and so does null.

    Raises:
        UsageError: ``to`` has no time zone, a column is missing, or a timestamp would leave the years 1 to 9999.
    """
    reference = pl.lit(_in_utc(to)).dt.cast_time_unit("us")
    missing = [name for name in ("source", STAMPS[0]) if name not in records.columns]
    if missing:
        raise UsageError(f"the records have no column {missing[0]}", hint="load them with it")
    shift = (reference - pl.col("acquired_at").min().over("source")).fill_null(pl.duration(microseconds=0))
    stamps = [name for name in STAMPS if name in records.columns]
    shifted = records.with_columns(pl.col(stamps) + shift)
    beyond = shifted.filter(pl.any_horizontal(~pl.col(stamps).is_between(_FIRST, _LAST)))
    if not beyond.is_empty():
        raise UsageError(
            "aligned, a timestamp would leave the years 1 to 9999",
            where=beyond["source"][0],
            hint="choose another reference",
        )
    return shifted


def _in_utc(to: datetime) -> datetime:
    if to.utcoffset() is None:
        raise UsageError("the reference has no time zone", where=str(to), hint="give it tzinfo=timezone.utc")
    return to.astimezone(UTC)


def align_files(
    sources: Sources,
    to: datetime,
    directory: str | os.PathLike[str],
    *,
    recursive: bool = True,
    limits: ContainerLimits = DEFAULT_LIMITS,
    salvage: bool = False,
) -> Aligned:
    """Write an aligned copy of each session file, in which nothing but the timestamps is different.

    Args:
        sources: session files, containers, folders, globs or ``-``.
        to: the reference, with its time zone.
        directory: where the copies go, by their place below the folder that all sources have in common.
        recursive: whether folders are searched below, too.
        limits: how much one container may hold.
        salvage: whether the whole members of a damaged container are kept.

    Raises:
        SourceError: a source does not exist, or there is no session file.
        OutputError: a file exists already, or cannot be written.
        UsageError: a source is an export, or ``to`` has no time zone.
    """
    to = _in_utc(to)
    files = session_files(sources, recursive=recursive, limits=limits, salvage=salvage)
    names, renamed = _names(files.paths, files.directory)
    targets = {path: Path(directory, name) for path, name in names.items()}
    for target in targets.values():
        check_absent(target)
    written: list[Path] = []
    rejected: list[Rejected] = []
    unaligned, finer = [], []
    for path, target in targets.items():
        document = read_document(path, ("source", *STAMPS), files.contents.get(path))
        if isinstance(document, Rejected):
            rejected.append(document)
            continue
        try:
            data, is_finer = _aligned(document, to)
        except UsageError as error:
            rejected.append(Rejected(document.source, error.what))
            continue
        make_folder(target.parent)
        publish(target, [data])
        written.append(target)
        if document.entries and document.records["acquired_at"].count() == 0:
            unaligned.append(document.source)
        if is_finer:
            finer.append(document.source)
    counts = Counts(len(written), len(rejected), files.skipped)
    return Aligned(counts, written, rejected, renamed, unaligned, finer)


def _names(files: list[str], directory: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """A name below the new folder for each file, no two the same; and those that are not the file's own."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    renamed = []
    for path in files:
        own = STDIN_FILE if path == STDIN else os.path.relpath(os.path.abspath(path), directory)
        # A glob such as `a/../../x.json` leaves the folder that its fixed part names.
        wanted = Path(path).name if Path(own).parts[0] == os.pardir else own
        if wanted.endswith(COMPRESSED_ENDINGS):
            # What is written is not compressed.
            wanted = str(Path(wanted).with_suffix(""))
        name, number = wanted, 1
        while name in taken:
            number += 1
            name = str(Path(wanted).with_name(f"{Path(wanted).stem} ({number}){Path(wanted).suffix}"))
        taken.add(name)
        names[path] = name
        if name != own:
            renamed.append((display_name(path), display_name(name)))
    return names, renamed


def _aligned(document: Document, to: datetime) -> tuple[bytes, bool]:
    """The bytes of a session with other texts for its usable timestamps, and whether one needs more digits."""
    records = align(document.records, to)
    if records["acquired_at"].count() == 0:
        return document.data, False
    texts = records.select("record_index", pl.col(STAMPS).dt.strftime(_FORM))
    data, pieces, done, finer = document.data, [], 0, False
    for index, *values in texts.iter_rows():
        spans = sorted((*document.span(index, key), text) for key, text in zip(STAMPS, values, strict=True) if text)
        for start, end, text in spans:
            new, more = _as_precise(text, data[start:end])
            pieces += [data[done:start], f'"{new}"'.encode()]
            finer |= more
            done = end
    return b"".join([*pieces, data[done:]]), finer


def _as_precise(text: str, before: bytes) -> tuple[str, bool]:
    """A timestamp with the digits that it had before the shift, or with microseconds where it needs more.

    Digits that were never measured would make the rules trust them, and durations contradict them.

    Returns:
        The text, and whether it needs more digits than it had.
    """
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    digits = _FRACTION.search(before)
    kept = fraction[: len(digits[1])] if digits else ""
    if fraction[len(kept) :].strip("0"):
        return text, True
    return (f"{seconds}.{kept}Z" if kept else f"{seconds}Z"), False
