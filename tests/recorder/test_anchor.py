"""Anchors: states, scores, seeds, and the decorator ``anchored``."""

import asyncio
import contextlib
import math

import pytest

from clamp_analytics.errors import AnchorError
from clamp_analytics.recorder import (
    AnchorState,
    ClampAnchor,
    EntropyTelemetry,
    anchored,
    default_telemetry,
    set_default_telemetry,
)


def test_an_anchor_is_unlocked_then_locked_then_released(telemetry):
    anchor = ClampAnchor("x", telemetry)
    states = [anchor.status()]
    anchor.lock()
    states.append(anchor.status())
    anchor.release()
    states.append(anchor.status())

    assert states == [AnchorState.UNLOCKED, AnchorState.LOCKED, AnchorState.RELEASED]


def test_the_states_have_the_names_of_the_cpp_implementation():
    assert [state.value for state in AnchorState] == ["Unlocked", "Locked", "Released", "Error"]


def test_a_cycle_without_an_exception_scores_one(telemetry):
    with ClampAnchor("x", telemetry):
        pass

    assert [record.stability_score for record in telemetry.records()] == [1.0]


def test_a_cycle_that_raises_scores_zero_and_leaves_the_anchor_in_error(telemetry):
    anchor = ClampAnchor("x", telemetry)
    with pytest.raises(KeyError), anchor:
        raise KeyError

    assert anchor.status() is AnchorState.ERROR
    assert [record.stability_score for record in telemetry.records()] == [0.0]


def test_an_anchor_can_be_locked_again_with_another_seed(telemetry):
    anchor = ClampAnchor("x", telemetry)
    for _ in range(3):
        with anchor:
            pass

    assert len({record.seed for record in telemetry.records()}) == 3


def test_locking_twice_raises_and_keeps_the_open_cycle(telemetry):
    anchor = ClampAnchor("x", telemetry).lock()
    with pytest.raises(AnchorError, match="already locked"):
        anchor.lock()
    anchor.release()

    assert [record.stability_score for record in telemetry.records()] == [1.0]


@pytest.mark.parametrize("locked_before", [False, True])
def test_releasing_an_anchor_that_is_not_locked_raises_and_records_nothing(telemetry, locked_before):
    anchor = ClampAnchor("x", telemetry)
    if locked_before:
        with anchor:
            pass
    with pytest.raises(AnchorError, match="not locked"):
        anchor.release()

    assert len(telemetry.records()) == int(locked_before)


@pytest.mark.parametrize(
    "score",
    [-0.1, 1.1, math.nan, math.inf, -math.inf, True, "0.5", b"1", None, 1 + 0j, pytest.param(10**400, id="huge")],
)
def test_a_score_outside_0_to_1_is_refused_before_anything_changes(telemetry, score):
    with ClampAnchor("x", telemetry) as anchor:
        with pytest.raises(AnchorError, match="not a valid stability score"):
            anchor.stability_score = score
        assert anchor.status() is AnchorState.LOCKED
    if score is not None:
        anchor.lock()
        with pytest.raises(AnchorError, match="not a valid stability score"):
            anchor.release(stability_score=score)
        assert anchor.status() is AnchorState.LOCKED
        anchor.release()

    assert {record.stability_score for record in telemetry.records()} == {1.0}


@pytest.mark.parametrize("score", [0, 1, 0.0, 0.9876543210123457, 1e-300, -0.0])
def test_a_score_can_be_given_with_the_release_or_within_the_block(telemetry, score):
    ClampAnchor("x", telemetry).lock().release(score)
    with ClampAnchor("y", telemetry) as anchor:
        anchor.stability_score = score

    scores = [record.stability_score for record in telemetry.records()]
    assert scores == [float(score)] * 2
    assert all(math.copysign(1, score) == 1 for score in scores)


def test_a_score_for_an_anchor_that_is_not_locked_is_refused(telemetry):
    with pytest.raises(AnchorError, match="not locked"):
        ClampAnchor("x", telemetry).stability_score = 0.5


def test_an_exception_overrides_the_score_of_the_block(telemetry):
    with contextlib.suppress(KeyError), ClampAnchor("x", telemetry) as anchor:
        anchor.stability_score = 0.7
        raise KeyError

    assert telemetry.records()[0].stability_score == 0.0


def test_a_block_may_release_its_anchor_early(telemetry):
    with ClampAnchor("x", telemetry) as anchor:
        anchor.release(0.25)

    assert [record.stability_score for record in telemetry.records()] == [0.25]


def test_the_seed_of_an_open_cycle_equals_the_recorded_one(telemetry):
    with ClampAnchor("x", telemetry) as anchor:
        seed = anchor.seed

    assert seed == telemetry.records()[0].seed
    assert anchor.seed is None


@pytest.mark.parametrize("context", [None, 3, b"x", ["x"]])
def test_a_context_that_is_not_a_string_is_refused(telemetry, context):
    with pytest.raises(AnchorError, match="not a valid context"):
        ClampAnchor(context, telemetry)
    with pytest.raises(AnchorError, match="not a valid context"):
        telemetry.record_acquire(context, 5)
    with pytest.raises(AnchorError, match="not a valid context"):
        anchored(context)


def test_async_with_records_a_cycle(telemetry):
    async def work() -> None:
        async with ClampAnchor("x", telemetry):
            await asyncio.sleep(0)

    asyncio.run(work())

    assert [record.stability_score for record in telemetry.records()] == [1.0]


def test_a_seed_source_provides_the_seeds_in_order(tmp_path):
    telemetry = EntropyTelemetry(tmp_path, seed_source=iter([7, 2**64 - 1]).__next__)
    for _ in range(2):
        with ClampAnchor("x", telemetry):
            pass

    assert [record.seed for record in telemetry.records()] == [7, 2**64 - 1]


@pytest.mark.parametrize("seed", [0, -1, 2**64, 1.5, True, None])
def test_a_seed_source_that_returns_an_invalid_seed_is_an_error_without_a_record(tmp_path, seed):
    telemetry = EntropyTelemetry(tmp_path, seed_source=lambda: seed)
    anchor = ClampAnchor("x", telemetry)
    with pytest.raises(AnchorError, match="not a valid seed"):
        anchor.lock()

    assert anchor.status() is AnchorState.ERROR
    assert telemetry.records() == []


def test_an_exhausted_seed_source_is_an_error(tmp_path):
    telemetry = EntropyTelemetry(tmp_path, seed_source=iter(()).__next__)

    with pytest.raises(AnchorError, match="exhausted"):
        ClampAnchor("x", telemetry).lock()


def test_anchored_records_each_call_of_a_function(telemetry):
    @anchored("add", telemetry)
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    assert add(1, b=2) == 3
    assert (add.__name__, add.__doc__) == ("add", "Add.")
    assert [record.context for record in telemetry.records()] == ["add"]


def test_anchored_records_a_coroutine_until_it_ends(telemetry):
    @anchored("work", telemetry)
    async def work() -> str:
        await asyncio.sleep(0)
        return telemetry.records()[0].context

    assert asyncio.run(work()) == "work"
    assert [record.stability_score for record in telemetry.records()] == [1.0]


def test_anchored_records_a_generator_from_its_first_value_to_its_end(telemetry):
    @anchored("numbers", telemetry)
    def numbers():
        yield 1
        return 2

    iterator = numbers()
    assert telemetry.records() == []
    assert next(iterator) == 1
    assert telemetry.records()[0].released_at is None
    with pytest.raises(StopIteration):
        next(iterator)
    assert telemetry.records()[0].released_at is not None


def test_anchored_gives_a_call_that_raises_the_score_zero(telemetry):
    @anchored("fail", telemetry)
    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert telemetry.records()[0].stability_score == 0.0


def test_an_asynchronous_generator_is_refused(telemetry):
    async def numbers():
        yield 1

    with pytest.raises(AnchorError, match="asynchronous generator"):
        anchored("numbers", telemetry)(numbers)


def test_anchors_without_a_telemetry_use_the_process_wide_one(telemetry):
    previous = set_default_telemetry(telemetry)
    try:
        assert default_telemetry() is telemetry
        with ClampAnchor("x"):
            pass
    finally:
        set_default_telemetry(previous)

    assert [record.context for record in telemetry.records()] == ["x"]


def test_a_disabled_telemetry_records_nothing_while_anchors_change_state():
    telemetry = EntropyTelemetry.disabled()
    anchor = ClampAnchor("x", telemetry)
    with anchor:
        assert anchor.status() is AnchorState.LOCKED
        assert anchor.seed is None
    telemetry.record_release(telemetry.record_acquire("y", 1), 0.5)

    assert anchor.status() is AnchorState.RELEASED
    assert telemetry.records() == []
    assert str(telemetry.write_json()) == "/dev/null"
    assert telemetry.to_json() == '{"stability_score":0.0,"records": [] }\n'
    assert not telemetry.enabled
