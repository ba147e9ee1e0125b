"""A session file as its records and as its text, with the place of each record in it.

What a value is, and whether it is usable, is the reader's word. Only where it stands is looked up here.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import polars as pl

from clamp_analytics.atomic_files import display_name
from clamp_analytics.decode.batch_builder import BatchBuilder
from clamp_analytics.decode.json_scanner import MalformedError, Scanner
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.reading.reader import Sources
from clamp_analytics.reading.task import LAYOUTS
from clamp_analytics.rules import BY_ID
from clamp_analytics.schema import Status
from clamp_analytics.sources import (
    DEFAULT_LIMITS,
    ContainerLimits,
    Listing,
    Member,
    Skipped,
    UnreadableError,
    is_container,
    list_sources,
    read_bytes,
    read_container,
    split_member,
)


class Rejected(NamedTuple):
    """A source that no session could be made of, and why."""

    source: str
    why: str


class Field(NamedTuple):
    """A field of the top level, its texts as they stand: the key with its quotes, and the value."""

    key: str
    key_text: bytes
    text: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """One usable session file.

    Attributes:
        source: the name of the file.
        data: its bytes.
        scanner: walks over them; its offsets are those of ``data``.
        top: the fields of the top level but for ``records``, in order.
        entries: start and end of each entry of ``records``, those that are no record included.
        records: the records as the reader reads them; ``record_index`` counts ``entries``.
    """

    source: str
    data: bytes
    scanner: Scanner
    top: list[Field]
    entries: list[tuple[int, int]]
    records: pl.DataFrame

    def span(self, index: int, key: str) -> tuple[int, int]:
        """Start and end of the string that an entry has under a key, which stands in it once."""
        start, end = self.entries[index]
        # Without an inner object and without an escape, what looks like the key is the key: ten times as fast.
        if self.data.count(b"{", start, end) == 1 and self.data.find(b"\\", start, end) < 0:
            match = _plain(key).search(self.data, start, end)
            if match:
                return match.span(1)
        return next((member.start, member.end) for member in self.scanner.members(start) if member.key == key)


@cache
def _plain(key: str) -> re.Pattern[bytes]:
    return re.compile(rb'"%b"[ \t\n\r]*:[ \t\n\r]*("[^"]*")' % re.escape(key.encode()))


class Files(NamedTuple):
    """The session files to rewrite.

    Attributes:
        paths: their names, in order.
        contents: the bytes of those in containers, or why they cannot be had.
        directory: the absolute folder that all sources have in common.
        skipped: how many entries were passed over.
    """

    paths: list[str]
    contents: Mapping[str, bytes | Rejected]
    directory: str
    skipped: int


def session_files(
    sources: Sources | Listing,
    *,
    recursive: bool = True,
    limits: ContainerLimits = DEFAULT_LIMITS,
    salvage: bool = False,
) -> Files:
    """Find the session files that the sources name; those in containers are read at once.

    Args:
        sources: session files, containers, folders, globs or ``-``, listed already or not.
        recursive: whether folders are searched below, too.
        limits: how much one container may hold.
        salvage: whether the whole members of a damaged container are kept.

    Raises:
        SourceError: a source does not exist, or there is no session file.
        UsageError: a source is an export or archive, which has no text that could be kept.
    """
    listing = sources if isinstance(sources, Listing) else list_sources(sources, recursive=recursive)
    if tables := listing.exports + listing.archives:
        raise UsageError(
            "an export or archive holds tables and not the text of session files",
            where=display_name(tables[0]),
            hint="name the session files that it was made from",
        )
    if not listing.files:
        raise SourceError(
            f"there is no session file (skipped: {listing.skipped.total()})", where=display_name(listing.directory)
        )
    paths: list[str] = []
    contents: dict[str, bytes | Rejected] = {}
    skipped = Counter(listing.skipped)
    for path in listing.files:
        if not is_container(path) and split_member(path) is None:
            paths.append(path)
            continue
        for found in read_container(path, limits, salvage=salvage):
            if isinstance(found, Skipped):
                skipped.update(found.skipped)
                continue
            paths.append(found.source)
            if isinstance(found, Member):
                contents[found.source] = found.data
            else:
                why = f"{BY_ID[found.rule].sentence} ({found.why})"
                contents[found.source] = Rejected(display_name(found.source), why)
    return Files(paths, contents, listing.directory, skipped.total())


def read_document(path: str, columns: Collection[str], content: bytes | Rejected | None = None) -> Document | Rejected:
    """Read one session file, or say why it is none.

    Args:
        path: the file, or ``-``.
        columns: the columns of ``records`` that are wanted beside ``record_index``.
        content: its bytes, where they are not at the path.
    """
    if isinstance(content, Rejected):
        return content
    source, data = display_name(path), b""
    builder = BatchBuilder({*columns, "record_index"}, LAYOUTS)
    try:
        data = read_bytes(path) if content is None else content
        builder.add(source, data)
    except UnreadableError as error:
        builder.add_unreadable(source, str(error))
    batch = builder.build()
    if batch.sessions["status"][0] == Status.REJECTED.value:
        return Rejected(source, batch.violations["message"][0])
    try:
        return _located(source, data, batch.records)
    # The typed decoder does not look into fields that it does not know, and follows them to any depth.
    except MalformedError as error:
        return Rejected(source, f"{BY_ID['not-json'].sentence} ({error.why} at byte {error.offset})")
    except RecursionError:
        return Rejected(source, BY_ID["too-deep"].sentence)


def _located(source: str, data: bytes, records: pl.DataFrame) -> Document:
    mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    # Blanks in place of the mark keep every offset true.
    scanner = Scanner(b" " * mark + data[mark:])
    entries: list[tuple[int, int]] = []
    top: list[Field] = []
    at = scanner.document() + 1
    for member in scanner.members(at - 1):
        if member.key == "records":
            entries = list(scanner.elements(member.start))
        else:
            key_text = data[at : member.start].strip(b" \t\n\r,:")
            top.append(Field(member.key, key_text, data[member.start : member.end]))
        at = member.end
    return Document(source, data, scanner, top, entries, records)
