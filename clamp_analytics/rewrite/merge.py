"""Merge the session files that the processes of one run wrote into one session.

Records keep their text. Systems reuse thread ids across processes, so an id that occurs in several files gets a suffix
for its file.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import polars as pl

from clamp_analytics.errors import SourceError
from clamp_analytics.reading import Counts
from clamp_analytics.reading.options import DEFAULT_OPTIONS
from clamp_analytics.reading.reader import Progress, Sources
from clamp_analytics.rewrite.document import Document, Field, RejectedFile, read_document, session_files
from clamp_analytics.sources import DEFAULT_LIMITS, ContainerLimits, Listing
from clamp_analytics.wording import plural

COLUMNS = ("seed", "thread_id", "acquired_at", "stability_score")
"""The columns of ``records`` that merging needs."""

NAMES_SHOWN = 5
"""Number of names that a note lists."""

_REPLACED = frozenset({"stability_score"})


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The merged session.

    Attributes:
        data: the content of its file.
        counts: files seen, loaded, rejected and skipped.
        records: number of its records.
        rejected: the sources that were left out.
        notes: sentences on values that could not be kept.
    """

    data: bytes
    counts: Counts
    records: int
    rejected: list[RejectedFile]
    notes: list[str]


def merge(
    sources: Sources | Listing,
    *,
    skip_rejected: bool = False,
    recursive: bool = True,
    limits: ContainerLimits = DEFAULT_LIMITS,
    salvage: bool = False,
    concurrency: int = DEFAULT_OPTIONS.concurrency,
    storage_options: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> MergeResult:
    """Merge session files into one session with its records in order of acquisition.

    Records with equal acquisition times keep the order of their files; records without a usable one come last.

    Args:
        sources: session files, containers, folders, globs or ``-``, or their listing.
        skip_rejected: whether to leave out a file that is not a session, instead of raising an error.
        recursive: whether to search subfolders.
        limits: how much one container may hold.
        salvage: whether to keep the intact members of a damaged container.
        concurrency: objects that are fetched from object storage at once.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.
        progress: called with the number of files that were read and of all files.

    Raises:
        SourceError: a file was rejected, or there is no file to merge.
        UsageError: a source is an export or an archive.
    """
    files = session_files(
        sources,
        recursive=recursive,
        limits=limits,
        salvage=salvage,
        concurrency=concurrency,
        storage_options=storage_options,
    )
    rejected: list[RejectedFile] = []
    seen: dict[bytes, str] = {}
    documents: list[Document] = []
    notes: list[str] = []
    for number, file in enumerate(files.files, 1):
        document = read_document(file, COLUMNS)
        if progress is not None:
            progress(number, len(files.files))
        if isinstance(document, RejectedFile):
            if not skip_rejected:
                raise SourceError(
                    f"it cannot be merged: {document.why}",
                    where=document.source,
                    hint="repair or remove it, or leave it out with skip_rejected=True",
                )
            rejected.append(document)
            continue
        first = seen.setdefault(hashlib.sha256(document.data).digest(), document.source)
        if first == document.source:
            documents.append(document)
        else:
            notes.append(f"merged once: {document.source} has the same bytes as {first}")
    counts = Counts(len(files.files) - len(rejected), len(rejected), files.skipped)
    if not documents:
        raise SourceError(f"no usable session among {counts}", where=files.directory)
    kept, dropped = _common_fields(documents)
    suffixes = _suffixes(documents)
    notes += [*_note_dropped(dropped), *_note_threads(documents, suffixes), *_note_seeds(documents)]
    texts = _ordered_texts(documents, suffixes)
    top = b"".join(b"%b:%b," % (field.key_text, field.text) for field in kept)
    mean = repr(_mean(documents)).encode()
    data = b'{%b"stability_score":%b,"records": [%b] }\n' % (top, mean, b", ".join(texts))
    return MergeResult(data, counts, len(texts), rejected, notes)


def _mean(documents: Iterable[Document]) -> float:
    """The exact mean of all usable scores, rounded once; 0 without any, as producers write it.

    Each distinct score is converted to a fraction once, which keeps exact arithmetic fast.
    """
    scores: Counter[float] = Counter()
    for document in documents:
        scores.update(document.records["stability_score"].drop_nulls().to_list())
    if not scores:
        return 0.0
    total = sum((Fraction(score) * times for score, times in scores.items()), Fraction(0))
    return float(total / scores.total())


def _common_fields(documents: Sequence[Document]) -> tuple[list[Field], list[str]]:
    """The top-level fields that have the same text in all files, and the keys of all other fields.

    A key that occurs twice in a file has no single value, so it counts as different.
    """
    by_key: list[dict[str, bytes]] = []
    for document in documents:
        times = Counter(field.key for field in document.top)
        by_key.append({field.key: field.text for field in document.top if times[field.key] == 1})
    kept = [
        field
        for field in documents[0].top
        if field.key not in _REPLACED and all(fields.get(field.key) == field.text for fields in by_key)
    ]
    all_keys = {field.key for document in documents for field in document.top}
    return kept, sorted(all_keys - _REPLACED - {field.key for field in kept})


def _suffixes(documents: Sequence[Document]) -> list[dict[str, str]]:
    """For each file, the thread ids that also occur in other files, with the suffix for this file."""
    ids = [set(document.records["thread_id"].drop_nulls().to_list()) for document in documents]
    files_with = Counter(name for names in ids for name in names)
    taken = set(files_with)
    suffixes: list[dict[str, str]] = []
    for number, names in enumerate(ids, 1):
        own = {}
        for name in sorted(name for name in names if files_with[name] > 1):
            suffix = f"@{number}"
            while name + suffix in taken:
                suffix += "'"
            taken.add(name + suffix)
            own[name] = suffix
        suffixes.append(own)
    return suffixes


def _ordered_texts(documents: Sequence[Document], suffixes: Sequence[dict[str, str]]) -> list[bytes]:
    """The texts of all entries in order of acquisition."""
    order: list[tuple[bool, int, int, int]] = []
    texts: list[list[bytes]] = []
    for number, (document, own) in enumerate(zip(documents, suffixes, strict=True)):
        acquired: list[int | None] = [None] * len(document.entries)
        texts.append([document.data[start:end] for start, end in document.entries])
        rows = document.records.select("record_index", pl.col("acquired_at").dt.epoch("us"), "thread_id")
        for index, at, thread in rows.iter_rows():
            acquired[index] = at
            if thread in own:
                texts[-1][index] = _with_suffix(document, index, own[thread])
        order += [(at is None, at or 0, number, index) for index, at in enumerate(acquired)]
    return [texts[number][index] for _, _, number, index in sorted(order)]


def _with_suffix(document: Document, index: int, suffix: str) -> bytes:
    start, end = document.entries[index]
    quote = document.span(index, "thread_id")[1] - 1
    return document.data[start:quote] + suffix.encode() + document.data[quote:end]


def _join_names(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _note_dropped(keys: Sequence[str]) -> Iterator[str]:
    if keys:
        yield f"dropped from the top level, because the files have different values: {_join_names(keys)}"


def _note_threads(documents: Sequence[Document], suffixes: Sequence[dict[str, str]]) -> Iterator[str]:
    shared = {name for own in suffixes for name in own}
    if shared:
        files = [f"@{n} = {document.source}" for n, document in enumerate(documents, 1) if suffixes[n - 1]]
        yield (
            f"{plural(len(shared), 'thread id')} in more than one file, "
            f"so each got the suffix of its file: {_join_names(files)}"
        )


def _note_seeds(documents: Sequence[Document]) -> Iterator[str]:
    seeds = pl.concat([document.records["seed"].drop_nulls().unique() for document in documents])
    again = seeds.filter((seeds != 0) & seeds.is_duplicated()).n_unique()
    if again:
        yield f"{plural(again, 'seed')} in more than one file; `validate` reports the repetition in the merged session"
