"""List the files that the user's sources name, in a fixed order.

A source is a session file, a folder, a glob, ``-`` for one session on standard input, a container of session files,
a member of one, a Parquet export or an archive of this package, or a URL of any of them but a DuckDB archive.
Listing opens no session file and no container.
"""

from __future__ import annotations

import glob
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.path_names import INSIDE, display_name, is_its_own_name, source_name
from clamp_analytics.sources.files import STDIN, reason_of
from clamp_analytics.sources.names import (
    CONTAINER_ENDINGS,
    DELTA_LOG,
    ENDING,
    MANIFEST,
    NOT_SESSIONS,
    READ_ENDINGS,
    is_not_session,
    split_member,
)
from clamp_analytics.sources.object_listing import list_urls
from clamp_analytics.sources.object_patterns import common_folder
from clamp_analytics.sources.object_ranges import ObjectFolder, dividable_folders
from clamp_analytics.sources.object_storage import Object, ObjectStorage, is_url

DATABASE_MARK = b"DUCK"
"""The bytes at offset 8 of a DuckDB database, by which an archive is recognized."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files, exports and archives that the sources name.

    Attributes:
        files: paths of session files and containers, by name; ``-`` for standard input; and members of containers
            that were named, as ``artifact.zip!/telemetry/x.json``.
        exports: folders that are exports, by name.
        skipped: how many entries were skipped, by reason.
        directory: the absolute folder that all sources have in common.
        single_folder: the folder, where the only source is one.
        archives: DuckDB databases and Delta archives, by name.
        storage: where the objects are.
        objects: the object to fetch, for each of the files that is in object storage.
        unlisted: instead of all these, the folders of object storage that workers list.
    """

    files: list[str]
    exports: list[str]
    skipped: Counter[str]
    directory: str
    single_folder: str | None = None
    archives: list[str] = field(default_factory=list)
    storage: ObjectStorage = field(default_factory=ObjectStorage)
    objects: Mapping[str, Object] = field(default_factory=dict)
    unlisted: tuple[ObjectFolder, ...] = ()


@dataclass(slots=True)
class _Walk:
    """The results of a search for sources."""

    recursive: bool
    files: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    visited: set[tuple[int, int]] = field(default_factory=set)


def list_sources(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
    leave_unlisted: bool = False,
) -> Listing:
    """Find the session files and exports that the sources name.

    Args:
        sources: one source or several.
        recursive: whether folders are searched below, too.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.
        leave_unlisted: whether folders of object storage are left to workers, where there is nothing else and they can
            be divided.

    Raises:
        SourceError: a source does not exist, matches nothing, or may not be listed.
        UsageError: a package for object storage is missing, or one of its options is unknown.
    """
    named = [os.fspath(sources)] if isinstance(sources, (str, os.PathLike)) else [os.fspath(s) for s in sources]
    if not named:
        raise SourceError("no source was given", hint="name a session file, a folder or a glob")
    urls = [source for source in named if is_url(source)]
    storage = ObjectStorage(storage_options or {})
    if leave_unlisted and recursive and len(urls) == len(named) and (folders := dividable_folders(urls, storage)):
        return Listing([], [], Counter(), _common_folder(named), storage=storage, unlisted=folders)
    remote = list_urls(urls, storage, recursive=recursive)
    walk = _Walk(recursive, skipped=remote.skipped)
    for source in named:
        if is_url(source):
            continue
        for path in _expand(source, walk):
            _add(path, walk)
    return Listing(
        files=_by_source(_distinct_files(walk) | remote.objects.keys()),
        exports=sorted({*walk.exports, *remote.exports}),
        archives=sorted({*walk.archives, *remote.archives}),
        skipped=walk.skipped,
        directory=_common_folder(named),
        single_folder=named[0] if len(named) == 1 and not (urls or walk.archives) and Path(named[0]).is_dir() else None,
        storage=storage,
        objects=remote.objects,
    )


def check_no_source(path: str | Path, named: Iterable[str], files: Iterable[str] = ()) -> None:
    """Check that an output path is not one of the files that are read.

    Args:
        path: the output, or its URL.
        named: the sources as the user named them; the name of a member begins with the name of its container.
        files: the files that were found in the sources.

    Raises:
        UsageError: it is one of them.
    """
    text = os.fspath(path)
    if is_url(text):
        if any(source.partition(INSIDE)[0] == text for source in chain(named, files)):
            raise UsageError("it is one of the sources", where=text, hint="choose another path")
        return
    # Path.exists raises an error for a name that is too long.
    if not os.path.exists(path):
        return
    real = os.path.realpath(path)
    # Resolving every path would be slow, and few files have this name.
    alike = (file for file in files if file.endswith(os.path.basename(real)))
    if any(os.path.realpath(source.partition(INSIDE)[0]) == real for source in chain(named, alike)):
        raise UsageError("it is one of the sources", where=display_name(Path(path)), hint="choose another path")


def _expand(source: str, walk: _Walk) -> Iterable[str]:
    if source == STDIN or os.path.lexists(source) or split_member(source):
        return [source]
    if not glob.has_magic(source):
        raise SourceError(
            "there is no such file or folder", where=display_name(source), hint="check the path, or quote a glob"
        )
    found = sorted(_matches(source))
    if not found:
        raise SourceError("the pattern matches nothing", where=display_name(source))
    return [path for path in found if not _is_skipped(path, source, walk)]


def _matches(pattern: str) -> Iterator[str]:
    """The paths that a pattern matches; ``**`` follows no links, so that it ends where they run in circles."""
    before, stars, after = pattern.partition("**/")
    if not stars or (before and not before.endswith("/")):
        yield from glob.glob(pattern)
        return
    for base in glob.glob(before) if glob.has_magic(before) else [before]:
        for folder, below, _ in os.walk(base or "."):
            below[:] = sorted(name for name in below if not name.startswith("."))
            inside = folder.removeprefix("./") if not base and folder != "." else folder
            yield from _matches(after if not base and folder == "." else os.path.join(glob.escape(inside), after))


def _is_skipped(path: str, pattern: str, walk: _Walk) -> bool:
    """Whether a match of a pattern is skipped, as it would be in a folder."""
    name = os.path.basename(path)
    asked_for = os.path.splitext(pattern)[1]
    endings = (asked_for,) if asked_for and not glob.has_magic(asked_for) else READ_ENDINGS
    if Path(path).is_dir():
        return False
    if is_not_session(name):
        walk.skipped["not a session by its name"] += 1
    elif not name.endswith(endings):
        walk.skipped["other ending"] += 1
    else:
        return False
    return True


def _add(path: str, walk: _Walk) -> None:
    """Add a path that the user named or a pattern matched."""
    if path == STDIN or split_member(path):
        walk.named.append(path)
        return
    try:
        mode = Path(path).stat().st_mode
        is_export = stat.S_ISDIR(mode) and Path(path, MANIFEST).exists()
    except OSError as error:
        if Path(path).is_symlink():
            # It was meant to be a session; reading it reports the fault.
            walk.named.append(path)
            return
        raise SourceError(f"cannot be read: {reason_of(error)}", where=display_name(path)) from error
    if is_export:
        walk.exports.append(path)
    elif is_delta_archive(path):
        walk.archives.append(path)
    elif stat.S_ISDIR(mode):
        _search(path, walk)
    elif stat.S_ISREG(mode):
        (walk.archives if is_database(path) else walk.named).append(path)
    else:
        walk.skipped["not a regular file"] += 1


def is_database(path: str) -> bool:
    """Whether a regular file is a DuckDB database; False where it cannot be read."""
    if path.endswith(ENDING):
        return False
    try:
        return has_database_mark(path)
    except OSError:
        return False


def is_delta_archive(path: str | os.PathLike[str]) -> bool:
    """Whether a path is the folder of a Delta archive."""
    return os.path.isdir(os.path.join(path, DELTA_LOG))


def has_database_mark(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as a DuckDB database does.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return file.read(12)[8:] == DATABASE_MARK


def _search(folder: str, walk: _Walk) -> None:
    """Search a folder, real entries first; links to folders wait, so that no folder is known by its link."""
    waiting = [folder]
    linked: list[str] = []
    while waiting or linked:
        current = waiting.pop() if waiting else linked.pop()
        try:
            status = Path(current).stat()
            if (status.st_dev, status.st_ino) in walk.visited:
                continue
            walk.visited.add((status.st_dev, status.st_ino))
            with os.scandir(current) as entries:
                for entry in entries:
                    _add_entry(entry, walk, waiting, linked)
        except OSError as error:
            if current == folder:
                raise SourceError(
                    f"the folder cannot be listed: {reason_of(error)}", where=display_name(current)
                ) from error
            # Below the folder that was named, it is one bad entry among others; reading it reports the fault.
            walk.files.append(current)
        linked.sort(reverse=True)


def _add_entry(entry: os.DirEntry[str], walk: _Walk, waiting: list[str], linked: list[str]) -> None:
    name = entry.name
    if name.startswith("."):
        walk.skipped["hidden"] += 1
        return
    try:
        # Nearly all entries are plain session files, and there may be very many of them.
        if name.endswith(ENDING) and name not in NOT_SESSIONS and entry.is_file(follow_symlinks=False):
            walk.files.append(entry.path)
        elif entry.is_dir():
            if not walk.recursive:
                walk.skipped["folder below"] += 1
            elif Path(entry.path, MANIFEST).exists():
                walk.skipped["export below"] += 1
            elif is_delta_archive(entry.path):
                walk.skipped["archive below"] += 1
            else:
                (linked if entry.is_symlink() else waiting).append(entry.path)
        elif not name.endswith(READ_ENDINGS):
            walk.skipped["other ending"] += 1
        elif is_not_session(name):
            walk.skipped["not a session by its name"] += 1
        elif entry.is_symlink():
            walk.links.append(entry.path)
        elif entry.is_file():
            # A container.
            walk.files.append(entry.path)
        else:
            walk.skipped["not a regular file"] += 1
    except OSError:
        # An entry without a readable status is one bad entry among others; reading it reports the fault.
        walk.files.append(entry.path)


def _distinct_files(walk: _Walk) -> set[str]:
    """All files, none of them twice: not by a second spelling, and not by a link."""
    files = set(walk.files)
    if walk.links or walk.named:
        found = {os.path.realpath(path) for path in files}
        for path in sorted(walk.named):
            real = path if path == STDIN else os.path.realpath(path)
            if real not in found:
                found.add(real)
                files.add(path)
        for link in sorted(walk.links):
            _follow(link, walk, files, found)
    containers = {path for path in files if path.endswith(CONTAINER_ENDINGS)}
    # A member that is named beside its container is read with it.
    read = {os.path.realpath(path) for path in containers}
    if containers:
        files = {path for path in files if not ((parts := split_member(path)) and os.path.realpath(parts[0]) in read)}
    return files


def _by_source(files: set[str]) -> list[str]:
    """Files in the order of their values of ``source``; a container comes where its members belong."""
    containers = {path for path in files if path.endswith(CONTAINER_ENDINGS)}
    if not containers and is_its_own_name("".join(files)):
        return sorted(files)
    return sorted(files, key=lambda path: source_name(path) + INSIDE * (path in containers))


def _follow(link: str, walk: _Walk, files: set[str], found: set[str]) -> None:
    """Add a link to a file, unless the file itself was found."""
    real = os.path.realpath(link)
    if real in found:
        walk.skipped["link to a file that is read"] += 1
    elif not os.path.exists(real) or Path(real).is_file():
        # A link that leads nowhere was meant to be a session: reading it reports the fault.
        found.add(real)
        files.add(link)
    else:
        walk.skipped["not a regular file"] += 1


def _common_folder(named: Sequence[str]) -> str:
    urls = [source for source in named if is_url(source)]
    if urls:
        return common_folder(url.partition(INSIDE)[0] for url in urls) if len(urls) == len(named) else ""
    folders = []
    for source in named:
        if parts := split_member(source):
            source = parts[0]
        # The fixed part of a glob; for standard input, the current folder.
        fixed = source if os.path.lexists(source) else source[: _first_magic(source)]
        path = os.path.abspath("" if source == STDIN else fixed)
        is_folder = Path(path).is_dir() and (fixed == source or fixed.endswith("/") or not fixed)
        folders.append(path if is_folder or source == STDIN else str(Path(path).parent))
    return os.path.commonpath(folders)


def _first_magic(pattern: str) -> int:
    return next((at for at, char in enumerate(pattern) if char in "*?["), len(pattern))
