"""Decisions about files that were read, for one file or two and what the archive knows of them."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from clamp_analytics.archive.ingest.reconcile import Decisions, is_unchanged, reconcile
from clamp_analytics.archive.ingest.staging import INCOMING
from clamp_analytics.archive.ingest.transaction import reconcile_with_archive
from clamp_analytics.archive.tables import empty_archive_in_memory

LOADED: dict[str, Any] = {"size_bytes": 9, "mtime_ns": 5, "session_id": "s1", "status": "loaded"}
REJECTED: dict[str, Any] = {**LOADED, "status": "rejected", "reason": "not JSON"}
KNOWN: dict[str, Any] = {"old_size_bytes": 9, "old_mtime_ns": 5, "old_session_id": "s1", "old_status": "loaded"}
WAS_REJECTED: dict[str, Any] = {**KNOWN, "old_status": "rejected", "old_reason": "not JSON"}


def incoming(*files: dict[str, Any]) -> pl.DataFrame:
    """Files that were read: a.json, b.json and so on."""
    names = "abcdef"
    rows = [
        {"file_number": n, "path": f"/{names[n]}.json", "source": f"/{names[n]}.json", **given}
        for n, given in enumerate(files)
    ]
    return pl.DataFrame(rows, schema=INCOMING)


def decide(
    *files: dict[str, Any],
    held: tuple[tuple[str, str, str], ...] = (),
    taken: tuple[str, ...] = (),
    forgotten: tuple[str, ...] = (),
) -> Decisions:
    return reconcile(
        incoming(*files),
        pl.DataFrame(held, {"session_id": pl.String, "held_status": pl.String, "held_source": pl.String}, orient="row"),
        pl.DataFrame({"source": taken}, {"source": pl.String}),
        pl.DataFrame({"session_id": forgotten}, {"session_id": pl.String}),
    )


def ledger(decisions: Decisions) -> list[tuple[Any, ...]]:
    return decisions.files.select("path", "session_id", "status", "reason", "source").rows()


def counts(decisions: Decisions) -> tuple[int, int, int]:
    return decisions.new, decisions.known, decisions.rejected


def test_a_new_session_is_added_under_the_name_of_its_file():
    decisions = decide(LOADED)

    assert ledger(decisions) == [("/a.json", "s1", "loaded", None, "/a.json")]
    assert decisions.added.rows() == [(0, "s1", "/a.json", "/a.json")]
    assert (counts(decisions), decisions.replaced) == ((1, 0, 0), [])


def test_the_second_file_with_a_session_is_a_duplicate_under_the_name_of_the_first():
    decisions = decide(LOADED, LOADED)

    assert ledger(decisions)[1] == ("/b.json", "s1", "duplicate", None, "/a.json")
    assert (decisions.added.height, counts(decisions)) == (1, (1, 1, 0))


def test_a_session_that_the_archive_holds_is_a_duplicate_under_its_name_there():
    decisions = decide(LOADED, held=(("s1", "loaded", "/x.json"),))

    assert ledger(decisions) == [("/a.json", "s1", "duplicate", None, "/x.json")]
    assert (decisions.added.height, counts(decisions), decisions.replaced) == (0, (0, 1, 0), [])


def test_a_file_that_has_added_its_session_keeps_its_status():
    decisions = decide({**LOADED, **KNOWN, "mtime_ns": 6}, held=(("s1", "loaded", "/a.json"),))

    assert ledger(decisions) == [("/a.json", "s1", "loaded", None, "/a.json")]
    assert counts(decisions) == (0, 1, 0)


@pytest.mark.parametrize("old", [{**KNOWN, "old_session_id": "s2"}, WAS_REJECTED], ids=["other session", "rejected"])
def test_a_file_that_now_has_a_session_of_the_archive_becomes_a_duplicate(old):
    decisions = decide({**LOADED, **old}, held=(("s1", "loaded", "/x.json"),))

    assert ledger(decisions) == [("/a.json", "s1", "duplicate", None, "/x.json")]


def test_a_rejected_file_is_added_with_its_reason():
    decisions = decide(REJECTED)

    assert ledger(decisions) == [("/a.json", "s1", "rejected", "not JSON", "/a.json")]
    assert (decisions.added.height, counts(decisions), decisions.replaced) == (1, (0, 0, 1), [])


def test_rejected_bytes_that_the_archive_holds_are_not_added_again():
    decisions = decide(REJECTED, held=(("s1", "rejected", "/x.json"),))

    assert ledger(decisions) == [("/a.json", "s1", "rejected", "not JSON", "/x.json")]
    assert (decisions.added.height, counts(decisions)) == (0, (0, 0, 1))


def test_a_file_whose_bytes_the_archive_has_loaded_is_a_duplicate_even_where_it_was_rejected():
    decisions = decide(REJECTED, held=(("s1", "loaded", "/x.json"),))

    assert ledger(decisions) == [("/a.json", "s1", "duplicate", None, "/x.json")]
    assert counts(decisions) == (0, 1, 0)


def test_a_session_that_can_be_loaded_now_replaces_the_rejected_one():
    decisions = decide(LOADED, held=(("s1", "rejected", "/x.json"),))

    assert ledger(decisions) == [("/a.json", "s1", "loaded", None, "/a.json")]
    assert (decisions.replaced, counts(decisions)) == (["s1"], (1, 0, 0))


def test_a_loaded_file_adds_its_session_after_a_rejected_file_with_the_same_bytes():
    decisions = decide(REJECTED, LOADED)

    assert ledger(decisions) == [
        ("/a.json", "s1", "rejected", "not JSON", "/b.json"),
        ("/b.json", "s1", "loaded", None, "/b.json"),
    ]
    assert (decisions.added.rows(), counts(decisions)) == ([(1, "s1", "/b.json", "/b.json")], (1, 0, 1))


def test_files_without_a_hash_are_all_added():
    decisions = decide({**REJECTED, "session_id": None}, {**REJECTED, "session_id": None})

    assert [row[2:] for row in ledger(decisions)] == [
        ("rejected", "not JSON", "/a.json"),
        ("rejected", "not JSON", "/b.json"),
    ]
    assert decisions.added.height == 2


def test_a_forgotten_session_is_not_added():
    decisions = decide(LOADED, forgotten=("s1",))

    assert ledger(decisions) == [("/a.json", "s1", "forgotten", None, None)]
    assert (decisions.added.height, counts(decisions)) == (0, (0, 1, 0))


def test_a_session_whose_name_is_taken_gets_a_tag():
    session_id = "0123456789abcdef" * 4
    decisions = decide({**LOADED, "session_id": session_id}, taken=("/a.json",))

    assert decisions.added["name"].to_list() == [f"/a.json#{session_id[:12]}"]
    assert ledger(decisions)[0][-1] == f"/a.json#{session_id[:12]}"


def test_two_sessions_of_one_name_in_one_ingest_have_different_names():
    one, other = "1" * 64, "2" * 64
    decisions = decide({**LOADED, "session_id": one}, {**LOADED, "session_id": other, "source": "/a.json"})

    assert decisions.added["name"].to_list() == ["/a.json", "/a.json#222222222222"]


def test_sessions_of_one_name_whose_hashes_begin_alike_get_different_names():
    ids = ["1" * 64, "2" * 12 + "3" * 52, "2" * 12 + "4" * 52]
    decisions = decide(*({**LOADED, "session_id": each, "source": "/a.json"} for each in ids))

    assert decisions.added["name"].n_unique() == 3


def test_a_name_with_a_tag_that_the_archive_has_is_not_used_again():
    archive = empty_archive_in_memory()
    for name in ("/a.json", "/a.json#222222222222"):
        archive.execute(
            "INSERT INTO sessions BY NAME SELECT ? AS source, ? AS session_id, 'loaded' AS status, "
            "0 AS record_count, 0 AS scored_count, 0 AS in_flight_count",
            [name, name],
        )

    decisions = reconcile_with_archive(archive, incoming({**LOADED, "session_id": "2" * 64}))

    (name,) = decisions.added["name"]
    assert name.startswith("/a.json#")
    assert name != "/a.json#222222222222"


UNCHANGED = [
    {**LOADED, **KNOWN},
    {**LOADED, **KNOWN, "old_status": "duplicate"},
    {**REJECTED, **WAS_REJECTED},
]
CHANGED = [
    LOADED,
    {**LOADED, **KNOWN, "old_size_bytes": 8},
    {**LOADED, **KNOWN, "old_mtime_ns": 4},
    {**LOADED, **KNOWN, "etag": "e"},
    {**LOADED, **KNOWN, "old_session_id": "s2"},
    {**LOADED, **WAS_REJECTED},
    {**REJECTED, **KNOWN},
    {**REJECTED, **WAS_REJECTED, "old_reason": "cut"},
]


@pytest.mark.parametrize("file", UNCHANGED)
def test_a_file_that_agrees_with_its_entry_in_the_ledger_is_unchanged(file):
    assert is_unchanged(incoming(file)).to_list() == [True]


@pytest.mark.parametrize("file", CHANGED)
def test_a_file_that_differs_from_its_entry_in_the_ledger_is_not_unchanged(file):
    assert is_unchanged(incoming(file)).to_list() == [False]
