"""The incidents of a report, with their evidence."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

import pytest

pytest.importorskip("altair", reason="the charts extra is not installed")
pytest.importorskip("scipy", reason="the drift extra is not installed")

import numpy as np

from clamp_analytics.analysis.drift import Drift, drift
from clamp_analytics.analysis.incidents.known_changes import KnownChange
from clamp_analytics.html_report.incidents import incidents
from clamp_analytics.html_report.links import SeriesLinks
from tests.analysis.drift.conftest import attributes_of, session_frame

SLOWER = np.repeat([1.0, 2.0], 20) * np.random.default_rng(3).normal(1, 0.02, 40)


def found(*known: KnownChange, **contexts: object) -> Drift:
    values = session_frame(contexts or {"gemm": SLOWER})  # type: ignore[arg-type]
    labels = [json.dumps({"build": f"b{number}", "compiler": "12" if number < 20 else "13"}) for number in range(40)]
    values = replace(values, attributes=attributes_of(values.values, labels=labels))
    return drift(values, known_changes=known)


def text_of(result: Drift) -> str:
    markup = incidents(result, SeriesLinks(result.verdicts, result.by, [], 500))
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", markup)))


def test_an_incident_has_its_effects_and_the_sessions_around_the_change():
    shown = text_of(found())

    assert "✗ Worse: step since 1 Jan, b20" in shown
    assert re.search(r"gemm p50 \+\d+(\.\d)? % [\d.]+ ms → [\d.]+ ms ✗ regressed", shown)
    assert "Last good session b19 2026-01-01 19:00:00 UTC" in shown
    assert "First session after the change b20 2026-01-01 20:00:00 UTC" in shown


def test_an_incident_lists_what_else_changed_with_it():
    assert "Also changed with it label compiler: 12 → 13" in text_of(found())


def test_a_known_incident_says_why_it_is_accepted():
    at = session_frame({"gemm": SLOWER}).values["started_at"][20]
    accepted = KnownChange({"context": "gemm"}, "duration_p50_ms", "worse", at, {}, "", "<checks>", "Ada")

    shown = text_of(found(accepted))

    assert "b20 known" in shown
    assert "Accepted <checks>" in shown


def test_an_incident_offers_the_trace_of_a_typical_session_before_and_after():
    result = found()
    (one,) = result.incidents

    markup = incidents(
        result, SeriesLinks(result.verdicts, result.by, [], 500), {one.incident.id: {"before": 3, "after": 25}}
    )

    assert "<button data-session=3>b3</button> and <button data-session=25>b25</button>" in markup
    assert f'<button data-trace="{one.incident.id}">' in markup


def test_names_and_labels_are_escaped():
    result = found(**{"<b>": SLOWER})

    assert "<b>" not in incidents(result, SeriesLinks(result.verdicts, result.by, [], 500))


def test_no_incident_is_said():
    assert "No series changed." in text_of(found(gemm=np.ones(40)))
