"""Align sessions: shift the timestamps of each one to a common reference, to compare sessions of different hosts.

The shift of a session moves its earliest usable acquisition to the reference, as
``EntropyTelemetry::alignToReference`` does (specification, "Reproducibility Criteria").
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from clamp_analytics.atomic_files import FileGroup, check_absent
from clamp_analytics.decode import timestamps
from clamp_analytics.errors import UsageError
from clamp_analytics.path_names import display_name, source_name
from clamp_analytics.reading import Counts
from clamp_analytics.reading.options import DEFAULT_OPTIONS
from clamp_analytics.reading.reader import Progress, Sources
from clamp_analytics.rewrite.document import Document, RejectedFile, read_document, session_files
from clamp_analytics.sources import COMPRESSED_ENDINGS, DEFAULT_LIMITS, STDIN, ContainerLimits
from clamp_analytics.sources.object_storage import is_url, split_url

STAMPS = ("acquired_at", "released_at")
"""The fields that are shifted."""

STDIN_FILE = "stdin.json"
"""The file name for a session from standard input."""

_FORM = "%Y-%m-%dT%H:%M:%S%.6fZ"
_FRACTION = re.compile(rb"[.,]([0-9]+)")
_FIRST = pl.datetime(1, 1, 1, time_unit="us", time_zone="UTC")
_LAST = pl.datetime(9999, 12, 31, 23, 59, 59, 999_999, time_unit="us", time_zone="UTC")


@dataclass(frozen=True, slots=True)
class AlignResult:
    """The outcome of ``align_files``.

    Attributes:
        counts: files seen, loaded, rejected and skipped.
        written: the new files, in the order of the sources.
        rejected: the sources without a new file.
        renamed: sources whose new file has another name, with that name.
        unaligned: sources without a usable acquisition, which were copied unchanged.
        finer: sources whose timestamps got more digits than were measured, because the reference has more.
    """

    counts: Counts
    written: list[Path] = field(default_factory=list)
    rejected: list[RejectedFile] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    unaligned: list[str] = field(default_factory=list)
    finer: list[str] = field(default_factory=list)


def parse_timestamp(text: str) -> datetime:
    """Parse a timestamp by the rules of the reader; without a zone it is UTC.

    Raises:
        UsageError: it is not a timestamp.
    """
    found: datetime | None = timestamps.parse(pl.Series([text]), "at")["at"].item()
    if found is None:
        raise UsageError(f"{text!r} is not an ISO 8601 date and time", hint="write it like 2026-01-01T00:00:00Z")
    return found


def align_records(records: pl.DataFrame, to: datetime) -> pl.DataFrame:
    """Shift the timestamps of each session so that its earliest acquisition is ``to``.

    Args:
        records: rows of the table ``records`` with at least ``source`` and ``acquired_at``.
        to: the reference, with its time zone.

    Returns:
        The same rows and columns. Nulls and sessions without a usable acquisition are unchanged.

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
    concurrency: int = DEFAULT_OPTIONS.concurrency,
    storage_options: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> AlignResult:
    """Write an aligned copy of each session file, in which only the timestamps differ; all copies appear, or none.

    Args:
        sources: session files, containers, folders, globs or ``-``.
        to: the reference, with its time zone.
        directory: the output folder; copies keep their paths relative to the common folder of all sources.
        recursive: whether to search subfolders.
        limits: how much one container may hold.
        salvage: whether to keep the intact members of a damaged container.
        concurrency: objects that are fetched from object storage at once.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.
        progress: called with the number of files that were read and of all files.

    Raises:
        SourceError: a source does not exist, or there is no session file.
        OutputError: a file exists already, or cannot be written; then none of the copies is left.
        UsageError: a source is an export, ``directory`` is a URL, or ``to`` has no time zone.
    """
    to = _in_utc(to)
    if is_url(os.fspath(directory)):
        raise UsageError(
            "aligned copies are not written into object storage",
            where=os.fspath(directory),
            hint="name a folder on disk, and copy it",
        )
    files = session_files(
        sources,
        recursive=recursive,
        limits=limits,
        salvage=salvage,
        concurrency=concurrency,
        storage_options=storage_options,
    )
    names, renamed = _output_names([file.path for file in files.files], files.directory)
    targets = [Path(directory, name) for name in names]
    for target in targets:
        check_absent(target)
    rejected: list[RejectedFile] = []
    unaligned, finer = [], []
    with FileGroup(Path(directory)) as group:
        for number, (file, target) in enumerate(zip(files.files, targets, strict=True), 1):
            document = read_document(file, ("source", *STAMPS))
            if progress is not None:
                progress(number, len(targets))
            if isinstance(document, RejectedFile):
                rejected.append(document)
                continue
            try:
                data, is_finer = _align_document(document, to)
            except UsageError as error:
                rejected.append(RejectedFile(document.source, error.what))
                continue
            group.add(target, data)
            if document.entries and document.records["acquired_at"].count() == 0:
                unaligned.append(document.source)
            if is_finer:
                finer.append(document.source)
        written = group.publish()
    counts = Counts(len(written), len(rejected), files.skipped)
    return AlignResult(counts, written, rejected, renamed, unaligned, finer)


def _output_names(files: list[str], directory: str) -> tuple[list[str], list[tuple[str, str]]]:
    """A unique relative path for each file, and the files whose path had to change, with the new one."""
    names: list[str] = []
    taken: set[str] = set()
    renamed: list[tuple[str, str]] = []
    for path in files:
        own = STDIN_FILE if path == STDIN else path_below(path, directory)
        # A glob such as `a/../../x.json` can leave the folder in its fixed part.
        wanted = Path(path).name if Path(own).parts[0] == os.pardir else own
        if wanted.endswith(COMPRESSED_ENDINGS):
            # The copy is not compressed.
            wanted = str(Path(wanted).with_suffix(""))
        name, number = wanted, 1
        while name in taken:
            number += 1
            name = str(Path(wanted).with_name(f"{Path(wanted).stem} ({number}){Path(wanted).suffix}"))
        taken.add(name)
        names.append(name)
        if name != own:
            renamed.append((source_name(path), display_name(name)))
    return names, renamed


def path_below(path: str, directory: str) -> str:
    """The path of a file below the common folder of all sources, or where objects have none, below the bucket."""
    if not is_url(path):
        return os.path.relpath(os.path.abspath(path), directory)
    parts = (path.removeprefix(directory + "/") if directory else split_url(path)[1]).split("/")
    # The key of an object is any text, which must not lead out of the folder.
    return parts[-1] if os.pardir in parts else "/".join(part for part in parts if part)


def _align_document(document: Document, to: datetime) -> tuple[bytes, bool]:
    """The bytes of a session with shifted timestamps, and whether one of them needs more digits than before."""
    records = align_records(document.records, to)
    if records["acquired_at"].count() == 0:
        return document.data, False
    texts = records.select("record_index", pl.col(STAMPS).dt.strftime(_FORM))
    data, pieces, done, finer = document.data, [], 0, False
    for index, *values in texts.iter_rows():
        spans = sorted((*document.span(index, key), text) for key, text in zip(STAMPS, values, strict=True) if text)
        for start, end, text in spans:
            new, more = _keep_precision(text, data[start:end])
            pieces += [data[done:start], f'"{new}"'.encode()]
            finer |= more
            done = end
    return b"".join([*pieces, data[done:]]), finer


def _keep_precision(text: str, before: bytes) -> tuple[str, bool]:
    """A timestamp with as many decimals as before the shift, or with microseconds if it needs more.

    The rules compare durations with timestamps at the precision that the text claims, so decimals that were not
    measured would cause violations.

    Returns:
        The text, and whether it has more decimals than before.
    """
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    digits = _FRACTION.search(before)
    kept = fraction[: len(digits[1])] if digits else ""
    if fraction[len(kept) :].strip("0"):
        return text, True
    return (f"{seconds}.{kept}Z" if kept else f"{seconds}Z"), False
