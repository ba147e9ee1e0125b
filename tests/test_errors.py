"""The errors that several callers raise, and how errors are shown and copied."""

from __future__ import annotations

import errno
import pickle

from clamp_analytics.errors import OutputError, UsageError, did_you_mean

METRICS = ["duration_p50_ms", "duration_p95_ms", "in_flight"]


def test_an_error_shows_where_it_is_and_what_to_do() -> None:
    error = OutputError("cannot be written", where="out.json", hint="choose another path")

    assert str(error) == "out.json: cannot be written\n  hint: choose another path"


def test_an_error_without_location_and_hint_is_one_sentence() -> None:
    assert str(UsageError("give either sql or named")) == "give either sql or named"


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(UsageError("no", where="here", hint="try")))

    assert (type(error), error.what, error.where, error.hint) == (UsageError, "no", "here", "try")


def test_a_refusal_of_the_system_ends_with_its_reason() -> None:
    error = OutputError.from_os_error("cannot be written", OSError(errno.ENOSPC, "No space left on device"))

    assert error.what == "cannot be written: no space left on device"


def test_an_unknown_name_is_answered_with_the_nearest_known_one() -> None:
    error = UsageError.unknown("metric", "in_fligth", METRICS, where="--metric")

    assert (error.what, error.where, error.hint) == (
        "there is no metric 'in_fligth'",
        "--metric",
        "did you mean in_flight?",
    )


def test_an_unknown_name_that_is_near_none_is_answered_with_all_known_ones() -> None:
    error = UsageError.unknown("metric", "zzz", METRICS)

    assert error.hint == "one of duration_p50_ms, duration_p95_ms, in_flight"


def test_several_names_can_be_suggested() -> None:
    assert did_you_mean("DURATION_P5_MS", METRICS, most=2) == "did you mean duration_p95_ms or duration_p50_ms?"


def test_missing_packages_are_answered_with_the_extra_that_installs_them() -> None:
    error = UsageError.not_installed(["numpy", "scipy"], "drift")

    assert (error.what, error.hint) == (
        "numpy and scipy are not installed",
        "pip install 'clamp-analytics[drift]'",
    )
