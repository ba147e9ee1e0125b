"""Divide folders of object storage into ranges of keys, each of which a worker lists and reads on its own.

A range is found with a few requests, or by listing the keys in it, of which only the bounds are kept. All of it relies
on listings in the order of the keys, which is checked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import NamedTuple

from clamp_analytics.errors import SourceError
from clamp_analytics.sources.names import DELTA_LOG, MANIFEST, READ_ENDINGS, SHRINKS, is_container
from clamp_analytics.sources.object_listing import ObjectListing, Stores, add_files, split_member_url
from clamp_analytics.sources.object_patterns import fixed_prefix, has_magic, pattern_of
from clamp_analytics.sources.object_storage import LIST_CHUNK, Object, ObjectStorage, split_url

_LAST_CHARACTER = "\U0010ffff"
"""A character that comes after all others in the order of keys."""

RANGES_PER_FOLDER = 64
"""About the number of ranges that a folder is divided into before it is listed; as many workers list at once."""

LEAST_DIVIDED = 4 * LIST_CHUNK
"""Objects of a range that is divided further."""


class UnsortedError(Exception):
    """A service does not list objects in the order of their keys, as SeaweedFS with some names of folders."""


class KeyRange(NamedTuple):
    """Consecutive keys of a bucket.

    Attributes:
        after: the keys come after this one; empty for no bound.
        through: the last key that belongs to them; None for no bound.
    """

    after: str = ""
    through: str | None = None


class Pages(NamedTuple):
    """The ranges that a listing was cut into.

    Attributes:
        ranges: the ranges.
        rest: the keys that were not listed yet; None where there are none.
    """

    ranges: list[KeyRange]
    rest: KeyRange | None


@dataclass(frozen=True, slots=True)
class ObjectFolder:
    """A folder of object storage that was named, by itself or with a pattern.

    Attributes:
        url: the URL of the folder, with a slash at the end.
        named: the pattern; the URL of the folder where there is none.
    """

    url: str
    named: str

    @classmethod
    def of(cls, url: str) -> ObjectFolder:
        """The folder of a URL that is a folder or a pattern."""
        if has_magic(url):
            return cls(fixed_prefix(url), url)
        folder = url if url.endswith("/") else url + "/"
        return cls(folder, folder)

    def matching(self, found: Iterable[Object]) -> Iterator[Object]:
        """Those of some objects in the folder that the pattern matches."""
        if self.url == self.named:
            yield from found
            return
        pattern = pattern_of(self.named)
        yield from (item for item in found if item.url == self.named or pattern.fullmatch(item.url))


def dividable_folders(urls: Iterable[str], storage: ObjectStorage) -> tuple[ObjectFolder, ...]:
    """The folders of URLs, where all of them are folders or patterns that can be divided; else none.

    Exports and archives cannot be divided, nor folders of which one is in another.

    Raises:
        SourceError: a folder cannot be listed, or is empty.
    """
    named = list(urls)
    if any(split_member_url(url) or (url.endswith(READ_ENDINGS) and not has_magic(url)) for url in named):
        return ()
    folders = sorted((ObjectFolder.of(url) for url in named), key=lambda folder: folder.url)
    if any(later.url.startswith(earlier.url) for earlier, later in pairwise(folders)):
        return ()
    for folder in folders:
        if not any(True for _ in storage.list_objects(folder.url)):
            raise SourceError.empty_folder(folder.url)
        stores = _stores_at(folder, [folder.url], storage)
        if stores.exports or stores.archives:
            return ()
    return tuple(folders)


def divide(
    folder: str, storage: ObjectStorage, *, wanted: int = RANGES_PER_FOLDER, least: int = LEAST_DIVIDED
) -> list[KeyRange]:
    """Ranges that together have all keys below a folder, with a few requests for each.

    A range has the keys that begin with the same characters. The shortest beginnings are divided first, by their next
    character.

    Args:
        folder: the URL of the folder.
        storage: the object storage.
        wanted: about how many ranges are wanted.
        least: how many objects a range has at least that is divided further.

    Raises:
        SourceError: the folder cannot be listed.
        UnsortedError: the service does not list it in the order of the keys.
    """
    undivided = deque([(split_url(folder)[1], KeyRange())])
    ranges: list[KeyRange] = []
    while undivided and len(undivided) + len(ranges) < wanted:
        beginning, keys = undivided.popleft()
        if len(list(islice(_list_keys(folder, keys, storage), least))) < least:
            ranges.append(keys)
        else:
            undivided += _by_next_character(folder, beginning, keys, storage)
    return sorted([*ranges, *(keys for _, keys in undivided)])


def _by_next_character(
    folder: str, beginning: str, keys: KeyRange, storage: ObjectStorage
) -> Iterator[tuple[str, KeyRange]]:
    """The beginnings that are one character longer, each with its range."""
    after = keys.after
    while found := next(_list_keys(folder, KeyRange(after, keys.through), storage), None):
        key = split_url(found.url)[1]
        longer = key[: len(beginning) + 1]
        through = key if key == beginning else longer + _LAST_CHARACTER
        yield longer, KeyRange(after, through)
        after = through


def find_pages(
    folder: str, keys: KeyRange, storage: ObjectStorage, *, most_objects: int, most_bytes: int, most_listed: int
) -> Pages:
    """List a range, and cut it into ranges for one task each.

    Args:
        folder: the URL of the folder.
        keys: the range.
        storage: the object storage.
        most_objects: the most objects of a range.
        most_bytes: about how many bytes, unpacked, the objects of a range have.
        most_listed: how many objects are listed now.

    Raises:
        SourceError: the folder cannot be listed.
        UnsortedError: the service does not list it in the order of the keys.
    """
    ranges: list[KeyRange] = []
    after, last = keys.after, keys.after
    objects = total = 0
    found = _list_keys(folder, keys, storage)
    for item in islice(found, most_listed):
        size = (item.size or 0) * (SHRINKS if is_container(item.url) else 1)
        if objects and (objects >= most_objects or total + size > most_bytes):
            ranges.append(KeyRange(after, last))
            after, objects, total = last, 0, 0
        last = split_url(item.url)[1]
        objects += 1
        total += size
    if objects:
        ranges.append(KeyRange(after, last))
    return Pages(ranges, KeyRange(last, keys.through) if next(found, None) else None)


def list_range(folder: ObjectFolder, keys: KeyRange, storage: ObjectStorage) -> ObjectListing:
    """The session files and containers in a range. All ranges together give what listing the folder at once gives.

    Raises:
        SourceError: the folder cannot be listed.
        UnsortedError: the service does not list it in the order of the keys.
    """
    listing = ObjectListing()
    found = list(folder.matching(_list_keys(folder.url, keys, storage)))
    if not found:
        return listing
    here = Stores.among(found)
    # An export or archive may begin before the range, or end after it.
    around = {above for item in (found[0], found[-1]) for above in _folders_above(item.url, folder.url)}
    there = _stores_at(folder, sorted(around), storage)
    # An archive is counted where its log begins, an export where its manifest is.
    bucket = split_url(folder.url)[0]
    begun = {url for url in here.archives if f"{bucket}/{keys.after}".startswith(f"{url}{DELTA_LOG}/")}
    listing.skipped["export below"] += len(here.exports)
    listing.skipped["archive below"] += len(here.archives - begun)
    add_files(folder.url, found, listing, Stores(here.exports | there.exports, here.archives | there.archives))
    return listing


def _list_keys(folder: str, keys: KeyRange, storage: ObjectStorage) -> Iterator[Object]:
    """The objects of a range, in order."""
    last = keys.after
    for item in storage.list_objects(folder, keys.after):
        key = split_url(item.url)[1]
        if key < last:
            raise UnsortedError
        if keys.through is not None and key > keys.through:
            return
        last = key
        yield item


def _folders_above(url: str, root: str) -> Iterator[str]:
    """The folders below ``root`` that an object is in."""
    at = url.find("/", len(root))
    while at >= 0:
        yield url[: at + 1]
        at = url.find("/", at + 1)


def _stores_at(named: ObjectFolder, folders: Iterable[str], storage: ObjectStorage) -> Stores:
    """Those of some folders that are exports or archives, by objects that the pattern matches."""
    shown: list[Object] = []
    for folder in folders:
        manifest = folder + MANIFEST
        key = split_url(manifest)[1]
        shown += named.matching(_list_keys(folder, KeyRange(key[:-1], key), storage))
        shown += islice(named.matching(storage.list_objects(f"{folder}{DELTA_LOG}/")), 1)
    return Stores.among(shown)
