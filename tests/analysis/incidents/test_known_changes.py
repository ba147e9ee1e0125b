"""Changes that a team accepted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clamp_analytics.analysis.incidents.grouping import SeriesChange
from clamp_analytics.analysis.incidents.known_changes import KnownChange, read_known_changes, with_entries
from clamp_analytics.errors import UsageError

START = datetime(2026, 9, 1, tzinfo=UTC)
TIMES = [START + timedelta(hours=number) for number in range(100)]
LABELS = [{"build": str(number)} for number in range(100)]
CHANGE = SeriesChange(("gemm",), "duration_p50_ms", "worse", "step", 60, 59, 61, 1.0, 1.2, 0.2, "regressed")

ENTRY = """\
[[change]]
group = { context = "gemm" }
metric = "duration_p50_ms"
started_at = 2026-09-03T12:00:00Z
reason = "the kernel checks its bounds"
"""


def entries(tmp_path: Path, text: str) -> list[KnownChange]:
    path = tmp_path / "known.toml"
    path.write_text(text)
    return read_known_changes(path)


def describes(entry: KnownChange, change: SeriesChange = CHANGE) -> bool:
    return entry.describes(change, ["context"], TIMES, LABELS)


def test_an_entry_accepts_a_change_that_may_have_begun_with_its_session(tmp_path: Path) -> None:
    (entry,) = entries(tmp_path, ENTRY)

    assert describes(entry)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"gemm"', '"copy"'),
        ("p50", "p95"),
        ("09-03T12", "09-04T12"),
        ("reason =", 'direction = "better"\nreason ='),
    ],
    ids=["context", "metric", "session", "direction"],
)
def test_an_entry_accepts_no_other_change(tmp_path: Path, old: str, new: str) -> None:
    (entry,) = entries(tmp_path, ENTRY.replace(old, new))

    assert not describes(entry)


def test_an_entry_may_name_a_label(tmp_path: Path) -> None:
    (entry,) = entries(tmp_path, ENTRY.replace("started_at = 2026-09-03T12:00:00Z", 'label = { build = "61" }'))

    assert describes(entry)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[change]", "it is not a TOML file"),
        ("[other]", "unknown key 'other'"),
        (ENTRY + 'colour = "red"', "unknown key 'colour'"),
        (ENTRY.replace("metric", "session"), "metric is missing"),
        (ENTRY.replace("2026-09-03T12:00:00Z", '"yesterday"'), "started_at must be a date"),
        (ENTRY + 'label = { build = "61" }', "by one of them only"),
        (ENTRY.replace("started_at = 2026-09-03T12:00:00Z\n", ""), "by one of them only"),
        (ENTRY + 'direction = "up"', "direction is 'up'"),
        (ENTRY.replace('"gemm"', "7"), "group must be a table of texts"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        entries(tmp_path, text)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.toml"):
        read_known_changes(tmp_path / "missing.toml")


def test_an_entry_is_appended_and_comments_are_kept(tmp_path: Path) -> None:
    (first,) = entries(tmp_path, ENTRY)

    text = with_entries("# decided in the weekly\n" + ENTRY, [first])

    assert text.startswith("# decided in the weekly\n" + ENTRY)
    assert entries(tmp_path, text) == [first, first]


texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)


@given(context=texts, reason=texts, label=st.dictionaries(texts, texts, min_size=1))
def test_whatever_an_entry_holds_reads_back(tmp_path_factory, context, reason, label) -> None:
    entry = KnownChange({"context": context}, "duration_p50_ms", "worse", None, label, "a.json", reason, "Ada")
    path = tmp_path_factory.mktemp("known") / "known.toml"

    path.write_text(with_entries("", [entry]), "utf-8", newline="")

    assert read_known_changes(path) == [entry]
