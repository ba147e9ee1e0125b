"""Divide session files into groups of about one batch.

The division depends on the files alone, so that the results depend neither on the number of workers nor on where they
run. The module imports no engine, because the native decoder begins with the first groups while one is imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from clamp_analytics.reading.options import ReadingOptions
from clamp_analytics.sources import ENDING, INSIDE, STDIN, Listing, size_of
from clamp_analytics.sources.object_storage import is_url

if TYPE_CHECKING:
    from clamp_analytics.reading.task import Content


class SessionFile(NamedTuple):
    """A session file to read.

    Attributes:
        path: its path.
        content: what to read instead of the path; None for a plain file.
        size: about how many bytes it has.
        group: the group of paths that it belongs to.
    """

    path: str
    content: Content | None
    size: int
    group: int


class FileGroup(NamedTuple):
    """Adjacent session files of about one batch, or one large file.

    Attributes:
        paths: their paths.
        contents: what to read instead of a path, by its index.
        size: how many bytes they have together.
    """

    paths: tuple[str, ...]
    contents: dict[int, Content]
    size: int

    def is_large_file(self, options: ReadingOptions) -> bool:
        """Whether it is one file that is decoded window by window."""
        return self.size >= options.large_bytes and len(self.paths) == 1 and not self.contents


class PathKind(Enum):
    """What a path starts from."""

    STDIN = "standard input"
    RELATIVE = "the current folder"
    ABSOLUTE = "the root, or a bucket"

    @classmethod
    def of(cls, path: str) -> PathKind:
        """The kind of a path or URL."""
        if path.startswith(os.sep) or is_url(path) or os.path.isabs(path):
            return cls.ABSOLUTE
        return cls.STDIN if path == STDIN else cls.RELATIVE


@dataclass(slots=True)
class PathGroups:
    """Groups of adjacent paths of one kind and of about one batch, by what is known before a file is opened.

    Attributes:
        options: the size of a batch.
        number: the number of the group that the latest path belongs to.
        kind: the kind of its paths.
    """

    options: ReadingOptions
    number: int = 0
    kind: PathKind | None = None
    _files: int = 0
    _bytes: int = 0

    def add(self, path: str, size: int) -> int:
        """The number of the group that the next path belongs to.

        Args:
            path: the path or URL.
            size: about how many bytes it has; see ``RemoteFiles.expected_size``.
        """
        kind = PathKind.of(path)
        is_full = self._files >= self.options.batch_files or self._bytes + size > self.options.batch_bytes
        if self._files and (is_full or kind is not self.kind):
            self.number += 1
            self._files = self._bytes = 0
        self.kind = kind
        self._files += 1
        self._bytes += size
        return self.number


def divide(files: Iterable[SessionFile], options: ReadingOptions) -> Iterator[FileGroup]:
    """Divide session files into groups; a large file is a group of its own."""
    paths: list[str] = []
    contents: dict[int, Content] = {}
    total = number = 0
    for file in files:
        is_full = total + file.size > options.batch_bytes or len(paths) >= options.batch_files
        if paths and (is_full or file.group != number):
            yield FileGroup(tuple(paths), contents, total)
            paths, contents, total = [], {}, 0
        number = file.group
        if file.content is not None:
            contents[len(paths)] = file.content
        paths.append(file.path)
        total += file.size
    if paths:
        yield FileGroup(tuple(paths), contents, total)


def first_plain_groups(listing: Listing, most_files: int, most_bytes: int, options: ReadingOptions) -> list[FileGroup]:
    """The groups at the beginning of a listing, as far as they are plain files on this machine.

    Args:
        listing: the files.
        most_files: the most files in all groups.
        most_bytes: about the most bytes in all groups.
        options: the size of a batch.
    """

    def is_plain(path: str) -> bool:
        return path.endswith(ENDING) and INSIDE not in path and path not in listing.objects

    groups = PathGroups(options)
    files: list[SessionFile] = []
    total = 0
    for path in takewhile(is_plain, listing.files[:most_files]):
        if total >= most_bytes:
            break
        size = size_of(path)
        files.append(SessionFile(path, None, size, groups.add(path, size)))
        total += size
    found = list(divide(files, options))
    # The last group may have further files.
    return found if len(files) == len(listing.files) else found[:-1]
