"""Ranges of keys: together they give what one listing gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clamp_analytics.errors import SourceError
from clamp_analytics.sources import list_sources
from clamp_analytics.sources.object_listing import list_urls
from clamp_analytics.sources.object_ranges import (
    KeyRange,
    ObjectFolder,
    UnsortedError,
    dividable_folders,
    divide,
    find_pages,
    list_range,
)
from clamp_analytics.sources.object_storage import Object, ObjectStorage
from tests.sources.test_object_storage import storage_with

NAMES = st.sampled_from(
    ["a.json", "b", "b.json", "b0.json", "c.zip", ".d.json", "e.txt", "ü.json", "clamp_export.json", "sessions"]
)
KEYS = st.lists(NAMES | st.just("_delta_log"), min_size=1, max_size=5).map(lambda parts: "runs/" + "/".join(parts))


def all_ranges(folder: ObjectFolder, storage: ObjectStorage, size: int, most_listed: int) -> Iterator[KeyRange]:
    """The ranges that tasks read, where a range has a few objects."""
    to_list = divide(folder.url, storage, wanted=5, least=2)
    while to_list:
        pages = find_pages(
            folder.url, to_list.pop(), storage, most_objects=size, most_bytes=10_000, most_listed=most_listed
        )
        yield from pages.ranges
        to_list += [pages.rest] if pages.rest else []


@pytest.mark.parametrize("url", ["s3://b/runs/", "s3://b/runs/*/*", "s3://b/**/*.json"])
@settings(max_examples=40)
@given(
    keys=st.sets(KEYS | st.just("runs/b/sessions/_delta_log/0.json"), min_size=1, max_size=25),
    size=st.integers(1, 4),
    most_listed=st.integers(1, 9),
)
def test_ranges_give_what_one_listing_gives(url: str, keys: set[str], size: int, most_listed: int) -> None:
    storage = storage_with(*keys, "runs/x/y.json")
    folders = dividable_folders([url], storage)

    expected = list_urls([url], storage, recursive=True)
    found: dict[str, Object] = {}
    skipped: Counter[str] = Counter()
    for folder in folders:
        for keys_in_range in all_ranges(folder, storage, size, most_listed):
            listing = list_range(folder, keys_in_range, storage)
            assert found.keys().isdisjoint(listing.objects)
            found |= listing.objects
            skipped += listing.skipped

    assert bool(folders) is not bool(expected.exports or expected.archives)
    if folders:
        assert found == expected.objects
        assert skipped == +expected.skipped


def test_a_flat_folder_is_divided_by_the_characters_of_its_keys() -> None:
    storage = storage_with(*(f"runs/{number:03}.json" for number in range(300)), "other/x.json")

    ranges = divide("s3://b/runs/", storage, wanted=2, least=50)

    last = "\U0010ffff"
    assert ranges == [
        KeyRange("", f"runs/0{last}"),
        KeyRange(f"runs/0{last}", f"runs/1{last}"),
        KeyRange(f"runs/1{last}", f"runs/2{last}"),
    ]


def test_a_small_folder_is_one_range() -> None:
    assert divide("s3://b/runs/", storage_with("runs/a.json", "runs/b.json")) == [KeyRange()]


def test_a_range_is_cut_by_the_bytes_that_its_objects_unpack_to() -> None:
    storage = storage_with("a.json", "b.zip", "c.json")

    # An object has 2 bytes, and a container is assumed to hold 16 times as much.
    pages = find_pages("s3://b/", KeyRange(), storage, most_objects=9, most_bytes=34, most_listed=9)

    assert pages == ([KeyRange("", "b.zip"), KeyRange("b.zip", "c.json")], None)


@pytest.mark.parametrize(
    "urls",
    [["s3://b/a.json"], ["s3://b/c.zip!/x.json"], ["s3://b/", "s3://b/runs/"], ["s3://b/export/"]],
    ids=["object", "member", "folder in a folder", "export"],
)
def test_other_sources_are_not_divided(urls: list[str]) -> None:
    storage = storage_with("a.json", "c.zip", "runs/a.json", "export/clamp_export.json")

    assert dividable_folders(urls, storage) == ()


def test_an_empty_folder_is_an_error() -> None:
    with pytest.raises(SourceError, match="there is no object below this folder"):
        dividable_folders(["s3://b/nothing"], storage_with("a.json"))


def test_files_on_disk_beside_object_storage_are_listed_here(tmp_path) -> None:
    assert list_sources([tmp_path], leave_unlisted=True).unlisted == ()


class Unsorted(ObjectStorage):
    """A service that lists objects in an order of its own."""

    def list_objects(self, folder: str, after: str = "") -> Iterator[Object]:
        yield from (Object(folder + name, 2) for name in ("b/x.json", "a/x.json"))


def test_an_order_that_is_not_that_of_the_keys_is_noticed() -> None:
    with pytest.raises(UnsortedError):
        find_pages("s3://b/", KeyRange(), Unsorted(), most_objects=9, most_bytes=99, most_listed=9)
