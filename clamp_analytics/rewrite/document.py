"""A session file as records and as text, with the offsets of each record in the text.

The reader decides what a value is and whether it is usable. This module only finds its bytes.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import polars as pl

from clamp_analytics.decode.batch_builder import BatchBuilder
from clamp_analytics.decode.json_scanner import MalformedError, Scanner
from clamp_analytics.decode.typed import KeyLayouts
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.path_names import display_name, source_name
from clamp_analytics.reading.fetching import RemoteFiles
from clamp_analytics.reading.options import DEFAULT_OPTIONS
from clamp_analytics.reading.reader import Sources
from clamp_analytics.rules import BY_ID
from clamp_analytics.schema import Status
from clamp_analytics.sources import (
    DEFAULT_LIMITS,
    INSIDE,
    ContainerLimits,
    Listing,
    Member,
    Rejected,
    Skipped,
    UnreadableError,
    is_container,
    list_sources,
    read_bytes,
    split_member,
)
from clamp_analytics.sources.containers.contents import read_container, read_packed


class RejectedFile(NamedTuple):
    """A source that could not be read as a session, and why."""

    source: str
    why: str


class Field(NamedTuple):
    """A top-level field: its key, and the original texts of the quoted key and the value."""

    key: str
    key_text: bytes
    text: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """One usable session file.

    Attributes:
        source: the name of the file.
        data: its bytes.
        scanner: the scanner of ``data``.
        top: the top-level fields except ``records``, in order.
        entries: start and end of each entry of ``records``, including entries that are not records.
        records: the records as read by the reader; ``record_index`` is an index into ``entries``.
    """

    source: str
    data: bytes
    scanner: Scanner
    top: list[Field]
    entries: list[tuple[int, int]]
    records: pl.DataFrame

    def span(self, index: int, key: str) -> tuple[int, int]:
        """Start and end of the string under a key that occurs once in an entry."""
        start, end = self.entries[index]
        # Without nested objects and escapes a search for the key finds the key, ten times faster than the scanner.
        if self.data.count(b"{", start, end) == 1 and self.data.find(b"\\", start, end) < 0:
            match = _field_pattern(key).search(self.data, start, end)
            if match:
                return match.span(1)
        return next((member.start, member.end) for member in self.scanner.members(start) if member.key == key)


@cache
def _field_pattern(key: str) -> re.Pattern[bytes]:
    return re.compile(rb'"%b"[ \t\n\r]*:[ \t\n\r]*("[^"]*")' % re.escape(key.encode()))


class SessionFile(NamedTuple):
    """A session file to rewrite.

    Attributes:
        path: its path, or the name of a member of a container.
        content: the bytes of a member, or the reason why it could not be read; None for a file to be read.
    """

    path: str
    content: bytes | RejectedFile | None = None


class Files(NamedTuple):
    """Session files to rewrite.

    Attributes:
        files: the files, in order.
        directory: the absolute common folder of all sources.
        skipped: number of skipped entries.
    """

    files: list[SessionFile]
    directory: str
    skipped: int


def session_files(
    sources: Sources | Listing,
    *,
    recursive: bool = True,
    limits: ContainerLimits = DEFAULT_LIMITS,
    salvage: bool = False,
    concurrency: int = DEFAULT_OPTIONS.concurrency,
    storage_options: Mapping[str, str] | None = None,
) -> Files:
    """Find the session files of the sources, and read those in containers.

    Args:
        sources: session files, containers, folders, globs or ``-``, or their listing.
        recursive: whether to search subfolders.
        limits: how much one container may hold.
        salvage: whether to keep the intact members of a damaged container.
        concurrency: objects that are fetched from object storage at once.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.

    Raises:
        SourceError: a source does not exist, or there is no session file.
        UsageError: a source is an export or an archive, which does not contain the text of session files.
    """
    listing = (
        sources
        if isinstance(sources, Listing)
        else list_sources(sources, recursive=recursive, storage_options=storage_options)
    )
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
    files: list[SessionFile] = []
    skipped = Counter(listing.skipped)
    remote = RemoteFiles(listing.storage, listing.objects, concurrency)
    for path, content in remote.with_contents(listing.files):
        for found in _contents(path, content, listing, limits, salvage=salvage):
            if isinstance(found, Skipped):
                skipped.update(found.skipped)
            elif isinstance(found, Rejected):
                why = f"{BY_ID[found.rule].sentence} ({found.why})"
                files.append(SessionFile(found.source, RejectedFile(found.source, why)))
            elif isinstance(found, Member):
                files.append(SessionFile(found.source, found.data))
            else:
                files.append(found)
    return Files(files, listing.directory, skipped.total())


def _contents(
    path: str, content: bytes | Rejected | None, listing: Listing, limits: ContainerLimits, *, salvage: bool
) -> Iterable[SessionFile | Member | Rejected | Skipped]:
    """A session file, or what a container holds; of an object, ``content`` is what was fetched."""
    if isinstance(content, Rejected):
        return [content]
    if content is not None:
        url = listing.objects[path].url
        if not is_container(url):
            return [SessionFile(path, content)]
        return read_packed(url, path.removeprefix(url).removeprefix(INSIDE), content, limits, salvage=salvage)
    if is_container(path) or split_member(path):
        return read_container(path, limits, salvage=salvage)
    return [SessionFile(path)]


def read_document(file: SessionFile, columns: Collection[str]) -> Document | RejectedFile:
    """Read one session file.

    Args:
        file: the file.
        columns: the columns of ``records`` to read in addition to ``record_index``.

    Returns:
        The session, or the reason why the file is not one.
    """
    if isinstance(file.content, RejectedFile):
        return file.content
    source, data = source_name(file.path), b""
    builder = BatchBuilder({*columns, "record_index"}, KeyLayouts())
    try:
        data = read_bytes(file.path) if file.content is None else file.content
        builder.add(source, data)
    except UnreadableError as error:
        builder.add_unreadable(source, str(error))
    batch = builder.build()
    if batch.sessions["status"][0] == Status.REJECTED.value:
        return RejectedFile(source, batch.violations["message"][0])
    try:
        return _locate(source, data, batch.records)
    # The typed decoder skips unknown fields, so the scanner may be the first to find a fault in them.
    except MalformedError as error:
        return RejectedFile(source, f"{BY_ID['not-json'].sentence} ({error.why} at byte {error.offset})")
    except RecursionError:
        return RejectedFile(source, BY_ID["too-deep"].sentence)


def _locate(source: str, data: bytes, records: pl.DataFrame) -> Document:
    mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    # Blanks in place of the byte order mark keep the offsets unchanged.
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
