"""List the objects that URLs of object storage name, by the rules that hold for folders and globs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from clamp_analytics.errors import SourceError
from clamp_analytics.path_names import INSIDE
from clamp_analytics.sources.names import (
    COMPRESSED_ENDINGS,
    DELTA_LOG,
    MANIFEST,
    READ_ENDINGS,
    classify_name,
    is_container,
)
from clamp_analytics.sources.object_patterns import fixed_prefix, has_magic, pattern_of
from clamp_analytics.sources.object_storage import Object, ObjectStorage, split_url


@dataclass(frozen=True, slots=True)
class ObjectListing:
    """The objects and exports that URLs name.

    Attributes:
        objects: the object to fetch for each file: for a member of a container, as ``s3://b/a.zip!/x.json``, the
            container.
        exports: folders that are exports, with a slash at the end.
        archives: folders that are Delta archives, with a slash at the end.
        skipped: how many entries were skipped, by reason.
    """

    objects: dict[str, Object] = field(default_factory=dict)
    exports: set[str] = field(default_factory=set)
    archives: set[str] = field(default_factory=set)
    skipped: Counter[str] = field(default_factory=Counter)


def list_urls(urls: Iterable[str], storage: ObjectStorage, *, recursive: bool) -> ObjectListing:
    """Find the session files, containers and exports that URLs name.

    Args:
        urls: URLs of objects, folders and patterns.
        storage: the object storage.
        recursive: whether folders below a folder are searched, too.

    Raises:
        SourceError: a bucket or folder cannot be listed, or nothing is there.
    """
    listing = ObjectListing()
    for url in urls:
        key = split_url(url)[1]
        if member := split_member_url(url):
            listing.objects.setdefault(url, Object(member[0]))
        elif has_magic(url):
            _add_matches(url, storage, listing, recursive=recursive)
        elif key.endswith(READ_ENDINGS):
            listing.objects.setdefault(url, Object(url))
        else:
            folder = url if url.endswith("/") else url + "/"
            _add_all(folder, list(storage.list_objects(folder)), listing, recursive=recursive)
    # A member that is named beside its container is read with it.
    for url, found in list(listing.objects.items()):
        if url != found.url and found.url in listing.objects:
            del listing.objects[url]
    return listing


def is_archive_url(url: str, storage: ObjectStorage) -> bool:
    """Whether there is a Delta archive at a URL.

    Raises:
        SourceError: the service does not say.
        UsageError: a package is missing, or an option is unknown.
    """
    if has_magic(url) or url.endswith(READ_ENDINGS):
        return False
    return any(True for _ in storage.list_objects(f"{url.rstrip('/')}/{DELTA_LOG}/"))


def split_member_url(url: str) -> tuple[str, str] | None:
    """The URL of a container and the name of its member; None for a plain URL."""
    at = url.find(INSIDE)
    while at >= 0:
        outer, member = url[:at], url[at + len(INSIDE) :]
        if member and is_container(outer) and not outer.endswith(COMPRESSED_ENDINGS):
            return outer, member
        at = url.find(INSIDE, at + 1)
    return None


def _add_matches(url: str, storage: ObjectStorage, listing: ObjectListing, *, recursive: bool) -> None:
    folder, pattern = fixed_prefix(url), pattern_of(url)
    found = [item for item in storage.list_objects(folder) if item.url == url or pattern.fullmatch(item.url)]
    if not found:
        raise SourceError("the pattern matches nothing", where=url)
    depth = url.count("/") if "**" not in url else None
    shallow = [item for item in found if recursive or depth is None or item.url.count("/") <= depth + 1]
    listing.skipped["folder below"] += len(found) - len(shallow)
    _add_all(folder, shallow, listing, recursive=True)


def _add_all(folder: str, found: list[Object], listing: ObjectListing, *, recursive: bool) -> None:
    if not found:
        raise SourceError.empty_folder(folder)
    stores = Stores.among(found)
    if folder in stores.exports:
        listing.exports.add(folder)
    elif folder in stores.archives:
        listing.archives.add(folder)
    else:
        listing.skipped["export below"] += len(stores.exports)
        listing.skipped["archive below"] += len(stores.archives)
        add_files(folder, found, listing, stores, recursive=recursive)


@dataclass(frozen=True, slots=True)
class Stores:
    """Folders of object storage that are exports or Delta archives, with a slash at the end."""

    exports: frozenset[str] = frozenset()
    archives: frozenset[str] = frozenset()

    @classmethod
    def among(cls, found: Iterable[Object]) -> Stores:
        """The exports and archives that some objects show."""
        urls = [item.url for item in found]
        return cls(
            frozenset(url.removesuffix(MANIFEST) for url in urls if url.endswith("/" + MANIFEST)),
            frozenset(url.partition(DELTA_LOG)[0] for url in urls if f"/{DELTA_LOG}/" in url),
        )


def add_files(
    folder: str, found: Iterable[Object], listing: ObjectListing, stores: Stores, *, recursive: bool = True
) -> None:
    """Add the session files and containers among objects, and count the others as skipped.

    Args:
        folder: the folder that was named.
        found: objects below it.
        listing: what they are added to.
        stores: exports and archives, whose objects are left out.
        recursive: whether folders below the folder are read, too.
    """
    below = tuple(stores.exports | stores.archives)
    folders_below = set()
    for item in found:
        parts = item.url.removeprefix(folder).split("/")
        if not parts[-1] or item.url.startswith(below):
            continue
        if not recursive and len(parts) > 1:
            folders_below.add(parts[0])
        elif reason := classify_name("/".join(parts))[1]:
            listing.skipped[reason] += 1
        else:
            listing.objects[item.url] = item
    listing.skipped["folder below"] += len(folders_below)
