"""The batch builder: which files take the fast path, and the rows of files that could not be read."""

from __future__ import annotations

from typing import Any

import pytest

from clamp_analytics.decode.batch_builder import BatchBuilder
from clamp_analytics.decode.typed import KeyLayouts
from clamp_analytics.schema import RECORDS
from tests.conftest import GOOD, decode, only, producer_session, record, session


class FastLayouts(KeyLayouts):
    """Layouts of which the fallback may not decode records."""

    def decode_records(self, array: bytes) -> Any:
        raise AssertionError("the fallback was used")


@pytest.mark.parametrize(
    "data",
    [
        session(),
        GOOD,
        producer_session({"seed": 1}, {"seed": 2}),
        session(record(), deviceName="a", device_name="a"),
        session(record(), deviceName="a"),
        session(record(), device_name="b"),
        session(record(), device_name=None, deviceName="a"),
        session(record(deviceName="a", device_name="a"), record(deviceName=None, device_name="b")),
        session(record(node=1), host=[1, 2]),
        session(record(), record(seed=0), stability_score=0.5),
        GOOD.replace(b'"stability_score":1.000000,', b""),
    ],
)
def test_a_well_formed_file_does_not_need_the_fallback(data: bytes) -> None:
    builder = BatchBuilder(RECORDS.names, FastLayouts())

    row = builder.add("a.json", data)

    assert row.status == "loaded"
    assert builder.build().sessions.height == 1


def test_a_builder_is_empty_after_a_batch() -> None:
    builder = BatchBuilder(RECORDS.names, KeyLayouts())
    builder.add("a.json", GOOD)
    builder.build()
    builder.add("b.json", session(record(seed=0)))

    batch = builder.build()

    assert batch.sessions["source"].to_list() == ["b.json"]
    assert batch.records["seed"].to_list() == [0]
    assert batch.violations["source"].to_list() == ["b.json"]


def test_adding_a_file_returns_its_session() -> None:
    builder = BatchBuilder(RECORDS.names, KeyLayouts())

    row = builder.add("a.json", session(record(), record(seed=8)), session_id="f00")

    assert (row.source, row.session_id, row.record_count, row.declared_stability_score) == ("a.json", "f00", 2, 1.0)
    batch = builder.build()
    assert batch.records["session_id"].to_list() == ["f00", "f00"]


@pytest.mark.parametrize(
    ("rule", "value"), [("unreadable", None), ("container-damaged", "it is cut"), ("container-refused", "it is cut")]
)
def test_a_file_that_could_not_be_read_has_a_row_and_its_reason(rule: str, value: str | None) -> None:
    builder = BatchBuilder(RECORDS.names, KeyLayouts())
    builder.add("a.json", GOOD)
    builder.add_unreadable("b.json", "it is cut", rule)
    builder.add("c.json", session(record(seed=0)))

    batch = builder.build()

    assert batch.sessions.select("source", "status", "size_bytes").rows() == [
        ("a.json", "loaded", len(GOOD)),
        ("b.json", "rejected", None),
        ("c.json", "loaded", len(session(record(seed=0)))),
    ]
    row = only(batch.violations.filter(source="b.json"))
    assert (row["rule"], row["value"]) == (rule, value)
    assert row["message"].endswith("(it is cut)")
    assert batch.violations["source"].to_list() == ["b.json", "c.json"]


def test_a_file_is_unreadable_by_default() -> None:
    builder = BatchBuilder(RECORDS.names, KeyLayouts())
    builder.add_unreadable("b.json", "x" * 300)
    builder.add_unreadable("c.json", "x" * 300, "container-damaged")

    violations = builder.build().violations

    assert violations.select("rule", "value").rows() == [("unreadable", None), ("container-damaged", "x" * 199 + "…")]


def test_sessions_have_the_figures_of_their_own_records() -> None:
    early, late = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
    one = session(record(seed=2**63), record(seed=2**63 + 5, acquired_at=late, stability_score=0), stability_score=0.5)
    other = session(record(seed=3, acquired_at=late, released_at=None))

    batch = decode(one, session(), other, b"")

    found = batch.sessions.select("record_count", "scored_count", "in_flight_count", "mean_stability").rows()
    assert found == [(2, 2, 0, 0.5), (0, 0, 0, None), (1, 1, 1, 1.0), (0, 0, 0, None)]
    assert batch.seed_sums.to_list() == [5, 0, 3, 0]
    first, last = (
        batch.sessions[name].dt.strftime("%FT%TZ").to_list() for name in ("first_acquired_at", "last_acquired_at")
    )
    assert (first, last) == ([early, None, late, None], [late, None, late, None])


def test_records_have_the_wanted_columns_and_the_name_of_their_own_file() -> None:
    builder = BatchBuilder(["context", "source"], KeyLayouts())
    builder.add("a.json", session(record(context="x")))
    builder.add("b.json", session(record(context="y"), record(seed=8, context="z")))

    records = builder.build().records

    assert records.columns == ["source", "context"]
    assert records.rows() == [("a.json", "x"), ("b.json", "y"), ("b.json", "z")]
