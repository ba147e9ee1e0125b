"""Object storage: what a URL names, and what of it is read."""

from __future__ import annotations

import itertools
from pathlib import Path

import obstore
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import MemoryStore

from clamp_analytics.errors import SourceError
from clamp_analytics.sources import list_sources
from clamp_analytics.sources.object_listing import list_urls
from clamp_analytics.sources.object_patterns import common_folder
from clamp_analytics.sources.object_storage import ObjectStorage, is_url


def storage_with(*keys: str) -> ObjectStorage:
    store = MemoryStore()
    for key in keys:
        obstore.put(store, key, b"{}")
    return ObjectStorage(_stores={"s3://b": store})  # type: ignore[dict-item]


def listed(url: str, *keys: str, recursive: bool = True) -> tuple[list[str], dict[str, int]]:
    found = list_urls([url], storage_with(*keys), recursive=recursive)
    return sorted(path.removeprefix("s3://b/") for path in found.objects), dict(+found.skipped)


@pytest.mark.parametrize("url", ["s3://b/x", "gs://b/x", "az://b/x", "abfss://b/x"])
def test_a_url_of_object_storage_is_recognized(url):
    assert is_url(url)


@pytest.mark.parametrize("path", ["s3:/b/x", "b/s3://x", "file:///x", "https://b/x", "-", ""])
def test_another_source_is_not_a_url(path):
    assert not is_url(path)


def test_a_folder_gives_the_session_files_below_it_and_counts_the_others():
    found = listed("s3://b/runs/", "runs/a.json", "runs/x/b.json.gz", "runs/c.txt", "runs/.d.json", "other/e.json")

    assert found == (["runs/a.json", "runs/x/b.json.gz"], {"other ending": 1, "hidden": 1})


def test_a_folder_needs_no_slash_at_its_end():
    assert listed("s3://b/runs", "runs/a.json", "runs2/b.json") == (["runs/a.json"], {})


def test_a_bucket_is_a_folder():
    assert listed("s3://b", "a.json", "x/b.json") == (["a.json", "x/b.json"], {})


def test_the_summary_artifact_is_not_a_session():
    found = listed("s3://b/", "a.json", "telemetry_summary.json")

    assert found == (["a.json"], {"not a session by its name": 1})


def test_without_recursion_folders_below_are_counted_once_each():
    found = listed("s3://b/", "a.json", "x/b.json", "x/c.json", "y/d.json", recursive=False)

    assert found == (["a.json"], {"folder below": 2})


def test_a_folder_with_a_manifest_is_an_export():
    found = list_urls(["s3://b/x/"], storage_with("x/clamp_export.json", "x/records/0.parquet"), recursive=True)

    assert (found.exports, found.objects) == ({"s3://b/x/"}, {})


def test_an_export_below_a_folder_is_skipped_once():
    found = listed("s3://b/", "a.json", "x/clamp_export.json", "x/records/0.parquet", "x/b.json")

    assert found == (["a.json"], {"export below": 1})


def test_an_object_that_is_named_is_not_listed():
    assert listed("s3://b/x/missing.json") == (["x/missing.json"], {})


def test_a_member_of_a_container_is_read_from_its_container():
    found = list_urls(["s3://b/a.zip!/x/y.json"], storage_with(), recursive=True)

    assert {path: item.url for path, item in found.objects.items()} == {"s3://b/a.zip!/x/y.json": "s3://b/a.zip"}


def test_a_member_that_is_named_beside_its_container_is_read_with_it():
    found = list_urls(["s3://b/a.zip!/y.json", "s3://b/a.zip"], storage_with(), recursive=True)

    assert list(found.objects) == ["s3://b/a.zip"]


def test_an_empty_folder_is_an_error():
    with pytest.raises(SourceError, match="there is no object below this folder"):
        listed("s3://b/none/", "a.json")


def test_a_pattern_without_a_match_is_an_error():
    with pytest.raises(SourceError, match="the pattern matches nothing"):
        listed("s3://b/*.json", "x/a.json")


def test_local_files_and_objects_are_in_the_order_of_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.json").write_text("{}")
    Path("z.json").write_text("{}")

    found = list_sources(["z.json", "s3://b/x.json", "a.json"])

    assert (found.files, found.directory) == (["a.json", "s3://b/x.json", "z.json"], "")


@pytest.mark.parametrize(
    ("urls", "folder"),
    [
        (["s3://b/x/a.json", "s3://b/x/y/b.json"], "s3://b/x"),
        (["s3://b/x/"], "s3://b/x"),
        (["s3://b/a.json"], "s3://b"),
        (["s3://b/x/*.json", "s3://b/xy/"], "s3://b"),
        (["s3://b/x/", "s3://c/x/"], ""),
    ],
)
def test_the_folder_that_urls_have_in_common(urls, folder):
    assert common_folder(urls) == folder


PARTS = ["a", "ab", ".h", "b!", "[1]"]
PATTERN_PARTS = ["*", "a*", "?", "a", "[ab]", "[!a]", "**", "*.json", "b!"]


@given(st.lists(st.sampled_from(PATTERN_PARTS), min_size=1, max_size=3), st.data())
def test_a_pattern_matches_what_it_matches_in_a_folder(tmp_path_factory, parts, data):
    pattern = "/".join(["r", *parts])
    if not any(char in pattern for char in "*?["):
        pattern += "*"
    folders = ["/".join(found) for count in range(3) for found in itertools.product(PARTS, repeat=count)]
    chosen = data.draw(st.lists(st.sampled_from(folders), min_size=1, max_size=5, unique=True))
    keys = [f"r/{folder}/{name}".replace("//", "/") for folder in chosen for name in ("s.json", "a.json.gz", "x.txt")]
    root = tmp_path_factory.mktemp("tree")
    for key in keys:
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    try:
        expected = {path.removeprefix(f"{root}/") for path in list_sources(f"{root}/{pattern}").files}
    except SourceError:
        expected = set()

    try:
        found = set(listed(f"s3://b/{pattern}", *keys)[0])
    except SourceError:
        found = set()
    assert found == expected
