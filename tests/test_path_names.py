"""Names of paths in messages and tables: valid Unicode, reversible, and never the same for two paths."""

from __future__ import annotations

import hashlib
import os
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clamp_analytics.path_names import INSIDE, display_name, member_name, path_of, source_name, unique_name

PATHS = st.lists(
    st.sampled_from(
        ["\\", "x", "ff", "21", "!", "/", "u", "dcff", "a", "é", "\udcff", "\udc80", "\ud800", ".zip", "#", "0" * 12]
    )
).map("".join)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("telemetry/a.json", "telemetry/a.json"),
        ("größe.json", "größe.json"),
        (os.fsdecode(b"a\xff.json"), "a\\xff.json"),
        ("a\\xff.json", "a\\\\xff.json"),
        ("C:\\data\\a.json", "C:\\data\\a.json"),
        ("a.zip!/b.json", "a.zip!/b.json"),
    ],
)
def test_a_path_in_a_message_is_valid_unicode(path: str, name: str) -> None:
    assert display_name(path) == name


def test_a_folder_that_is_named_like_a_container_is_escaped() -> None:
    assert source_name("a.zip!/b.json") == "a.zip\\x21/b.json"
    assert member_name(source_name("a.zip"), "b.json") == "a.zip!/b.json"


@given(path=PATHS)
@example(path="\\\\\udcff\\xff")
def test_a_path_can_be_recovered_from_its_name(path: str) -> None:
    for name in (display_name(path), source_name(path)):
        assert path_of(name) == path
        name.encode()


@given(one=PATHS, other=PATHS, member=PATHS, inner=PATHS)
def test_no_two_files_have_the_same_name(one: str, other: str, member: str, inner: str) -> None:
    inside = member_name(source_name(one), member)

    assert inside != source_name(other)
    assert inside.partition(INSIDE)[0] == source_name(one)
    assert member_name(inside, inner) != member_name(source_name(one), member + INSIDE + inner)


def test_the_name_of_a_member_is_not_escaped_twice() -> None:
    name = member_name(source_name(os.fsdecode(b"a\xff.zip")), "x.json")

    assert display_name(name) == source_name(name) == "a\\xff.zip!/x.json"
    assert source_name(pickle.loads(pickle.dumps(name))) == name


@given(path=PATHS, other=PATHS)
@example(path="a#" + "0" * 12, other="a")
def test_the_name_of_no_path_ends_with_a_tag(path: str, other: str) -> None:
    name = source_name(other)

    assert source_name(path) != unique_name(name, "0" * 64, {name})


def test_a_taken_name_gets_a_tag_that_depends_on_the_session() -> None:
    digest = hashlib.sha256(b"session").hexdigest()

    assert unique_name("a.json", digest, set()) == "a.json"
    assert unique_name("a.json", digest, {"a.json"}) == f"a.json#{digest[:12]}"


def test_two_sessions_whose_hashes_begin_alike_have_different_names() -> None:
    taken = {"a.json", "a.json#" + "0" * 12}

    assert unique_name("a.json", "0" * 64, taken) not in taken
