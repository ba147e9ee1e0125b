"""Any document: the package reads it as the reference does, by whichever path and in whatever company."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clamp_analytics.batch import Batch
from clamp_analytics.decode.typed import KeyLayouts
from clamp_analytics.reading import ReadingOptions, load
from tests.conftest import EXAMPLES, GOOD, decode, record, session
from tests.reading import reference

COLUMNS = ["context", "seed", "thread_id", "acquired_at", "released_at", "duration_ms", "stability_score", "backend"]
COLUMNS += ["device_name", "record_index"]


def escaped(text: str, how: int) -> str:
    """A JSON string in one of its spellings."""
    quoted = json.dumps(text, ensure_ascii=how % 2 == 0)
    return quoted.replace(",", "\\u002c") if how >= 2 else quoted


TEXT = st.builds(escaped, st.text(st.characters(codec="utf-8"), max_size=6) | st.just('a,"},{"b'), st.integers(0, 3))
NUMBER = st.one_of(
    st.integers(-(2**65), 2**65).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(
        ["0", "-0", "0.0", "1e999", "-1E+999", "7.0", "7e0", "1e-7", "0.1e1", "18446744073709551616", "9" * 40]
    ),
)
ANY = st.recursive(
    st.one_of(TEXT, NUMBER, st.sampled_from(["null", "true", "false"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
        st.lists(st.tuples(TEXT, inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f"{k}:{v}" for k, v in pairs) + "}"
        ),
    ),
    max_leaves=4,
)
STAMP = st.one_of(
    st.datetimes().map(lambda at: f'"{at.isoformat().rjust(19, "0")}Z"'),
    st.sampled_from(["", "x", "2026-01-01T00:00:00+01:00", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00z"]).map(
        json.dumps
    ),
)
SOUND = {
    "context": TEXT,
    "seed": st.integers(0, 2**64 - 1).map(str),
    "thread_id": TEXT,
    "acquired_at": STAMP,
    "released_at": st.one_of(STAMP, st.just("null")),
    "duration_ms": st.floats(allow_nan=False, allow_infinity=False).map(repr),
    "stability_score": st.one_of(st.floats(0, 1).map(repr), st.sampled_from(["0", "1", "0.988"])),
    "backend": st.one_of(TEXT, st.just("null")),
    "deviceName": st.one_of(TEXT, st.just("null")),
    "device_name": st.one_of(TEXT, st.just("null")),
}
ODD = st.one_of(ANY, st.sampled_from(['"\\ud800"', '"\\udc00x"', "1e999", "-1", '"1"']))
BLANK = st.sampled_from(["", "", "", " ", "\n", "\t\r "])


def spelled(key: str, how: int) -> str:
    """A key, now and then with an escape in it."""
    return json.dumps(key) if how else '"' + f"\\u{ord(key[0]):04x}" + json.dumps(key)[2:]


@st.composite
def objects(draw: Callable[..., Any], keys: tuple[str, ...], optional: tuple[str, ...], entries: str = "") -> str:
    """An object with these keys, in which something may be missing, wrong, doubled, unknown or out of order."""
    chosen = [*keys, *(key for key in optional if draw(st.integers(0, 3)) == 0)]
    pairs = [(key, draw(SOUND[key])) for key in chosen]
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        mutation = draw(st.sampled_from(["wrong", "wrong", "missing", "doubled", "unknown", "shuffle", "escape"]))
        if mutation == "unknown":
            pairs.append((draw(st.sampled_from(["node", "a,b", "é", "records2"])), draw(ANY)))
        elif mutation == "shuffle":
            pairs = draw(st.permutations(pairs))
        elif pairs and mutation != "escape":
            at = draw(st.integers(0, len(pairs) - 1))
            key, value = pairs[at]
            pairs[at : at + 1] = {
                "wrong": [(key, draw(ODD))],
                "missing": [],
                "doubled": [(key, value), (key, draw(st.one_of(st.just(value), ODD)))],
            }[mutation]
    if entries:
        pairs.insert(draw(st.integers(0, len(pairs))), ("records", entries))
    how = draw(st.sampled_from([1, 1, 1, 0]))
    blank = draw(BLANK)
    members = (f"{spelled(key, how)}{blank}:{blank}{value}" for key, value in pairs)
    return "{" + blank + f"{blank},{blank}".join(members) + blank + "}"


@st.composite
def documents(draw: Callable[..., Any]) -> bytes:
    """A document that is a session, or nearly one."""
    keys = ("context", "seed", "thread_id", "acquired_at", "released_at", "duration_ms", "stability_score")
    optional = ("backend", "deviceName", "device_name")
    entry = st.one_of(*[objects(keys, optional)] * 9, ANY)
    items = draw(st.lists(entry, max_size=5))
    entries = "[" + draw(st.sampled_from([",", ", ", " ,\n"])).join(items) + "]"
    whole = draw(objects(("stability_score",), optional, draw(st.sampled_from([entries] * 12 + ["null", "{}", "NaN"]))))
    return (draw(BLANK) + whole + draw(BLANK)).encode()


def extra_of(text: str | None) -> list[tuple[str, Any]]:
    return sorted(reference.parse(text)) if text is not None else []


def assert_read_as_the_reference(data: bytes, batch: Batch, name: str) -> None:
    expected = reference.read(data)
    row = batch.sessions.row(by_predicate=pl.col("source") == name, named=True)
    records = batch.records.filter(source=name)
    violations = batch.violations.filter(source=name)

    assert row["status"] == expected.status
    errors = violations.filter(severity="error").select("rule", "record_index", "field").rows()
    assert sorted(errors, key=str) == sorted(expected.errors, key=str)
    assert records.select(COLUMNS).rows() == [tuple(entry[name] for name in COLUMNS) for entry in expected.rows]
    assert [extra_of(text) for text in records["extra"]] == [entry["extra"] for entry in expected.rows]
    if expected.status == "loaded":
        assert row["declared_stability_score"] == expected.top["stability_score"]
        assert (row["backend"], row["device_name"]) == (expected.top["backend"], expected.top["device_name"])
        assert extra_of(row["extra"]) == expected.top["extra"]
        assert row["record_count"] == len(expected.rows)


@given(data=documents())
@settings(max_examples=60 * EXAMPLES)
@example(data=GOOD)
def test_a_document_is_read_as_the_reference_reads_it(data: bytes) -> None:
    assert_read_as_the_reference(data, decode(data), "0.json")


@given(group=st.lists(documents(), min_size=2, max_size=4))
@settings(max_examples=15 * EXAMPLES)
def test_what_was_learnt_from_other_documents_changes_nothing(group: list[bytes]) -> None:
    learnt = KeyLayouts()
    together = decode(*group, learnt=learnt)
    again = decode(*group, learnt=learnt)

    assert again.records.equals(together.records)
    assert again.violations.equals(together.violations)
    for number, data in enumerate(group):
        alone = decode(*([b""] * number), data)
        source = f"{number}.json"
        for name in ("sessions", "records", "violations"):
            one, other = (getattr(batch, name).filter(source=source) for batch in (alone, together))
            assert one.equals(other)


@given(data=documents())
@settings(max_examples=30 * EXAMPLES)
def test_every_value_of_a_violation_is_at_its_offset(data: bytes) -> None:
    for row in decode(data).violations.drop_nulls(["value", "byte_offset"]).iter_rows(named=True):
        there = data[row["byte_offset"] :].decode(errors="backslashreplace")
        # A duplicate key is reported with both values and the offset of the second one.
        text = row["value"].removesuffix("…")
        assert there.startswith(text) or row["rule"] == "duplicate-key"


@given(data=documents(), change=st.integers(0, 255), position=st.floats(0, 1))
@settings(max_examples=30 * EXAMPLES)
def test_a_byte_that_was_changed_never_harms_another_document(data: bytes, change: int, position: float) -> None:
    at = int(position * (len(data) - 1))
    broken = data[:at] + bytes([change]) + data[at + 1 :]

    batch = decode(GOOD, broken, GOOD)

    assert batch.records.filter(pl.col("source") != "1.json").height == 2
    assert batch.sessions["status"].to_list()[::2] == ["loaded", "loaded"]


@given(data=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_bytes_of_any_kind_are_rejected_with_one_reason(data: bytes) -> None:
    batch = decode(data)

    assert batch.sessions["status"].to_list() == ["rejected"]
    assert batch.violations.height == 1 or batch.violations["rule"][0] == "byte-order-mark"


@pytest.mark.usefixtures("decoder")
@given(
    entries=st.lists(
        st.one_of(
            objects(
                ("context", "seed", "thread_id", "acquired_at", "released_at", "duration_ms", "stability_score"),
                ("backend",),
            ),
            ANY,
        ),
        min_size=3,
        max_size=12,
    ),
    window=st.integers(60, 600),
)
@settings(max_examples=15 * EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_large_file_in_windows_gives_what_it_gives_whole(tmp_path: Path, entries: list[str], window: int) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"stability_score":0.5,"records":[' + ",".join(entries).encode() + b'],"node":1}')
    whole = load(path)

    windows = load(path, options=ReadingOptions(large_bytes=1, window_bytes=window))

    assert windows.records.equals(whole.records)
    assert windows.sessions.equals(whole.sessions)
    assert windows.violations.rows() == whole.violations.rows()


def test_the_reference_reads_the_sound_record() -> None:
    read = reference.read(session(record(seed=2**64 - 1)))

    assert (read.status, read.errors, read.rows[0]["seed"]) == ("loaded", [], 2**64 - 1)
