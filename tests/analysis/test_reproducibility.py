"""Whether the same seed and context give the same score and order in different sessions."""

from __future__ import annotations

import pickle
from itertools import combinations
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given
from polars.testing import assert_frame_equal

from clamp_analytics.analysis.needed_columns import SEEDS
from clamp_analytics.analysis.reproducibility import Reproducibility, SeedFold, SeedOptions, reproducibility
from clamp_analytics.analysis.reproducibility.cycle_table import CYCLE, cycles, repeated_cycles
from clamp_analytics.analysis.reproducibility.cycle_table import orders as cycle_orders
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.reading import Counts, Reader, Telemetry, iter_batches, load
from tests.conftest import decode, only, record, session, write

LARGEST = 2**64 - 1


def cycle(seed: int, second: int = 0, **changes: Any) -> dict[str, Any]:
    """A released cycle that was acquired at a second of a minute."""
    return record(
        seed=seed, acquired_at=f"2026-01-01T00:00:{second:02}Z", released_at="2026-01-01T00:01:00Z", **changes
    )


def run(*seeds: int, day: int = 1) -> bytes:
    """A session whose cycles were acquired at intervals of one second."""
    return session(
        *(
            record(
                seed=seed,
                acquired_at=f"2026-01-{day:02}T00:00:{second:02}Z",
                released_at=f"2026-01-{day:02}T00:01:00Z",
            )
            for second, seed in enumerate(seeds)
        )
    )


def compared(folder: Path, *documents: bytes, **options: float) -> Reproducibility:
    """The reproducibility of sessions named 0.json, 1.json and so on."""
    write(folder, {f"{number}.json": data for number, data in enumerate(documents)})
    return reproducibility(Reader(folder, columns=SEEDS), options=SeedOptions(**options))


def names(column: pl.Series) -> list[str | None]:
    return [value and Path(value).name for value in column]


def orders(found: Reproducibility) -> dict[int, bool | None]:
    return dict(found.seeds.select("seed", "same_order").iter_rows())


def test_a_repeated_seed_with_the_same_score_and_order_is_reproducible(tmp_path):
    found = compared(tmp_path, run(7, 8, day=1), run(7, 8, day=2))

    assert found.seeds.select("seed", "context", "sessions", "scores", "same_score", "same_order").rows() == [
        (7, "alpha", 2, 1, True, True),
        (8, "alpha", 2, 1, True, True),
    ]


def test_seeds_above_2_to_the_53_are_distinguished(tmp_path):
    found = compared(tmp_path, run(LARGEST, LARGEST - 1, day=1), run(LARGEST, LARGEST - 2, day=2))

    assert found.seeds["seed"].to_list() == [LARGEST]
    assert only(found.contexts)["not_repeated"] == 2


def test_a_seed_in_another_context_is_another_cycle(tmp_path):
    found = compared(tmp_path, session(cycle(7, context="a")), session(cycle(7, context="b")))

    assert found.seeds.is_empty()


def test_a_score_that_differs_names_its_session(tmp_path):
    scores = [0.5, 0.5, 0.75]

    found = compared(
        tmp_path, *(session(cycle(7, number, stability_score=score)) for number, score in enumerate(scores))
    )

    row = only(found.seeds)
    assert (row["same_score"], row["scores"], row["score_min"], row["score_max"]) == (False, 2, 0.5, 0.75)
    assert names(found.seeds["first_source"]) + names(found.seeds["differing_source"]) == ["0.json", "2.json"]


def test_scores_within_the_tolerance_are_the_same(tmp_path):
    documents = [session(cycle(7, number, stability_score=score)) for number, score in enumerate([0.8, 0.7])]

    assert only(compared(tmp_path, *documents, score_tolerance=0.1).seeds)["same_score"] is True
    assert only(compared(tmp_path, *documents, score_tolerance=0.05).seeds)["same_score"] is False


def test_an_anchor_in_flight_has_no_score_to_compare(tmp_path):
    found = compared(tmp_path, session(cycle(7)), session({**cycle(7, 1), "released_at": None, "stability_score": 0}))

    row = only(found.seeds)
    assert (row["same_score"], row["scores"], row["score_min"]) == (None, 1, 1.0)


def test_swapped_cycles_are_out_of_order_and_the_others_are_not(tmp_path):
    found = compared(tmp_path, run(1, 2, 3, 4, day=1), run(2, 1, 3, 4, day=2))

    assert orders(found) == {1: False, 2: False, 3: True, 4: True}


def test_a_cycle_that_moved_is_out_of_order_with_all_it_passed(tmp_path):
    found = compared(tmp_path, run(1, 2, 3, 4, day=1), run(2, 3, 1, 4, day=2))

    assert orders(found) == {1: False, 2: False, 3: False, 4: True}


def test_cycles_that_one_session_does_not_hold_do_not_matter_to_the_order(tmp_path):
    found = compared(tmp_path, run(1, 2, 3, 4, day=1), run(9, 2, 8, 4, day=2))

    assert orders(found) == {2: True, 4: True}


def test_a_cycle_that_shares_no_other_has_no_order(tmp_path):
    found = compared(tmp_path, run(1, 2, day=1), run(3, 1, day=2))

    assert orders(found) == {1: None}


def test_the_order_is_that_of_time_and_not_that_of_the_file(tmp_path):
    found = compared(tmp_path, session(cycle(1, 10), cycle(2, 20)), session(cycle(2, 40), cycle(1, 30)))

    assert orders(found) == {1: True, 2: True}


def test_cycles_of_the_same_time_are_in_the_order_of_the_file(tmp_path):
    found = compared(tmp_path, session(cycle(1), cycle(2)), session(cycle(2), cycle(1)))

    assert orders(found) == {1: False, 2: False}


def test_a_session_with_an_unset_time_is_taken_in_the_order_of_its_file(tmp_path):
    unset = {**cycle(3), "acquired_at": ""}

    found = compared(tmp_path, run(1, 2, 3), session(cycle(1, 30), cycle(2, 20), unset))

    assert orders(found) == {1: True, 2: True, 3: True}


def test_the_first_source_is_the_one_that_acquired_first(tmp_path):
    found = compared(tmp_path, run(1, 2, day=3), run(2, 1, day=2))

    assert names(found.seeds["first_source"]) == ["1.json", "1.json"]
    assert names(found.seeds["differing_source"]) == ["0.json", "0.json"]


def test_the_kth_cycle_of_a_seed_is_compared_with_the_kth_cycle(tmp_path):
    first = session(cycle(5, 1, stability_score=0.25), cycle(5, 2, stability_score=0.75))

    found = compared(tmp_path, first, session(cycle(5, 3, stability_score=0.25), cycle(5, 4, stability_score=0.75)))

    row = only(found.seeds)
    assert (row["sessions"], row["same_score"], row["same_order"], row["scores"]) == (2, True, True, 1)


def test_a_seed_that_occurs_twice_in_one_session_only_is_not_repeated(tmp_path):
    found = compared(tmp_path, session(cycle(5, 1), cycle(5, 2)))

    assert found.seeds.is_empty()
    assert only(found.contexts)["not_repeated"] == 1


def test_failed_acquisitions_and_unusable_seeds_are_left_out_and_counted(tmp_path):
    documents = [session(cycle(0), cycle(-1), cycle(7)), session(cycle(0, 1), cycle(8))]

    found = compared(tmp_path, *documents)

    assert (found.zero_seeds, found.unusable_seeds, found.seeds.height) == (2, 1, 0)


def test_a_copy_of_a_session_does_not_agree_with_it(tmp_path):
    found = compared(tmp_path, run(1, 2), run(1, 2))

    assert (found.sessions, found.copies, found.seeds.height) == (1, 1, 0)


def test_contexts_say_how_many_seeds_gave_the_same(tmp_path):
    first = session(cycle(1, 1), cycle(2, 2), cycle(3, 3), cycle(4, 4), cycle(5, 5, context="b"))
    again = session(cycle(2, 11), cycle(1, 12), cycle(3, 13), cycle(4, 14, stability_score=0.5), cycle(9, 15))

    found = compared(tmp_path, first, again)

    assert found.contexts.rows(named=True) == [
        {
            "context": "alpha",
            "seeds": 5,
            "not_repeated": 1,
            "repeated": 4,
            "same_score": 3,
            "same_order": 2,
            "same_score_share": 0.75,
            "same_order_share": 0.5,
        },
        {
            "context": "b",
            "seeds": 1,
            "not_repeated": 1,
            "repeated": 0,
            "same_score": 0,
            "same_order": 0,
            "same_score_share": None,
            "same_order_share": None,
        },
    ]


def test_seeds_that_differ_come_first(tmp_path):
    first = session(cycle(1, 1), cycle(2, 2), cycle(3, 3), cycle(4, 4))

    found = compared(
        tmp_path, first, session(cycle(1, 11), cycle(3, 12), cycle(2, 13), cycle(4, 14, stability_score=0))
    )

    assert found.seeds["seed"].to_list() == [4, 2, 3, 1]


def test_loaded_telemetry_and_a_reader_give_the_same(tmp_path):
    found = compared(tmp_path, run(1, 2, 3, day=1), run(2, 1, 3, day=2))

    again = reproducibility(load(tmp_path))

    assert found.seeds.equals(again.seeds)
    assert found.contexts.equals(again.contexts)


def test_an_export_gives_the_same_result_as_its_files(tmp_path):
    found = compared(tmp_path / "in", run(1, 2, 3, day=1), run(2, 1, 3, day=2), run(1, 2, 3, day=1))
    export(Reader(tmp_path / "in"), tmp_path / "out", ExportOptions())

    again = reproducibility(Reader(tmp_path / "out", columns=SEEDS))

    assert found.seeds.equals(again.seeds)
    assert found.copies == again.copies == 1


def test_missing_columns_are_named(tmp_path):
    write(tmp_path, {"a.json": run(1)})

    with pytest.raises(UsageError, match="without acquired_at, context, record_index"):
        reproducibility(load(tmp_path, columns=["seed"]))
    with pytest.raises(UsageError, match="without acquired_at, context, record_index"):
        reproducibility(Reader(tmp_path, columns=["seed"]))


def test_sessions_that_are_compared_in_slices_have_the_same_order(tmp_path):
    write(tmp_path, {"a.json": run(1, 2, 3, 4, day=1), "b.json": run(2, 1, 3, 4, day=2), "c.json": run(4, 3, day=3)})
    part = SeedFold()(next(iter_batches(tmp_path)))
    sessions = part.sessions.with_row_index("session")
    every = cycles([part], sessions)
    repeated = repeated_cycles(every, every.select(CYCLE).unique())

    together, in_slices = cycle_orders(repeated), cycle_orders(repeated, rows_at_once=1)

    assert together.height == 6
    assert_frame_equal(in_slices, together, check_row_order=False)


def test_no_usable_session_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="no usable session"):
        compared(tmp_path, b"{")


def test_a_tolerance_is_from_0_to_1():
    with pytest.raises(UsageError, match="tolerance"):
        SeedOptions(score_tolerance=1.5)


def test_the_fold_can_be_pickled():
    fold = pickle.loads(pickle.dumps(SeedFold()))

    assert fold(decode(run(1, 2))).cycles["seed"].to_list() == [1, 2]


def in_order(sessions: list[list[int]], seed: int) -> bool | None:
    """The definition, cycle by cycle: no other shared cycle changes sides against the first session that has it."""
    holders = [runs for runs in sessions if seed in runs]
    compared = False
    for later in holders[1:]:
        shared = [other for other in holders[0] if other in later]
        compared |= len(shared) > 1
        for other in shared:
            before = holders[0].index(other) < holders[0].index(seed)
            if other != seed and before != (later.index(other) < later.index(seed)):
                return False
    return True if compared else None


@given(st.lists(st.lists(st.integers(1, 7), unique=True, max_size=7), min_size=1, max_size=5))
def test_the_order_agrees_with_its_definition(sessions):
    records = [
        {
            "source": f"{number}.json",
            "record_index": index,
            "context": "alpha",
            "seed": seed,
            "acquired_at": number,
            "released_at": number,
            "stability_score": 1.0,
        }
        for number, runs in enumerate(sessions)
        for index, seed in enumerate(runs)
    ]
    batch = decode(*(session() for _ in sessions))
    time = pl.Datetime("us", "UTC")
    frame = pl.DataFrame(
        records,
        schema={
            "source": pl.String,
            "record_index": pl.UInt32,
            "context": pl.String,
            "seed": pl.UInt64,
            "acquired_at": pl.Int64,
            "released_at": pl.Int64,
            "stability_score": pl.Float64,
        },
    ).with_columns(pl.col("acquired_at", "released_at").cast(time))
    telemetry = Telemetry(batch.sessions, frame, batch.violations, Counts(len(sessions), 0, 0), "/")

    found = orders(reproducibility(telemetry))

    repeated = {seed for one, other in combinations(sessions, 2) for seed in one if seed in other}
    assert found == {seed: in_order(sessions, seed) for seed in repeated}
