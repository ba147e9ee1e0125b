"""Incidents in Markdown, for a comment on a pull request."""

import json
from dataclasses import replace

import pytest

pytest.importorskip("scipy", reason="the drift extra is not installed")

import numpy as np

from clamp_analytics.analysis.drift import drift
from clamp_analytics.render.incidents import OPEN_IN_MARKDOWN, IncidentTexts
from clamp_analytics.render.session_links import SessionLinks
from tests.analysis.drift.conftest import attributes_of, session_frame

NOISE = np.random.default_rng(3).normal(1, 0.02, 120)


def history(**steps: int):
    """Contexts that become slower at a session."""
    values = session_frame({name: NOISE * np.where(np.arange(120) < at, 1.0, 2.0) for name, at in steps.items()})
    labels = [json.dumps({"build": f"b{number}"}) for number in range(120)]
    return drift(replace(values, attributes=attributes_of(values.values, labels=labels)))


def test_sessions_of_an_incident_are_linked():
    text = IncidentTexts.of(history(gemm=60), SessionLinks("https://ci.example/{build}")).markdown

    assert "(https://ci.example/b60)" in text
    assert "(https://ci.example/b59)" in text


def test_the_first_incidents_are_shown_and_the_others_folded():
    found = history(a=20, b=40, c=60, d=80, e=100)

    shown, _, folded = IncidentTexts.of(found).markdown.partition("<details>\n<summary>2 further incidents</summary>")

    assert (shown.count("worse: step"), folded.count("worse: step")) == (OPEN_IN_MARKDOWN, 2)


def test_the_changes_of_an_incident_are_in_natural_order():
    text = IncidentTexts.of(history(**{"stage-10": 60, "stage-2": 60})).terminal

    assert [line.split()[0] for line in text.splitlines()[1:3]] == ["stage-2", "stage-10"]


@pytest.mark.parametrize("factor, sequence", [(2.0, "\x1b[31m"), (0.5, "\x1b[32m")])
def test_the_title_of_an_incident_is_coloured_by_its_direction(factor, sequence):
    values = session_frame({"gemm": NOISE * np.where(np.arange(120) < 60, 1.0, factor)})
    texts = IncidentTexts.of(drift(values))

    title = texts.terminal.splitlines()[0]
    assert texts.colored.splitlines()[0] == f"{sequence}{title}\x1b[0m"


def test_the_heading_counts_incidents():
    assert IncidentTexts.of(history(a=20, b=60)).headline == "2 incidents"


def test_an_outlier_session_is_named_with_its_series():
    values = session_frame({"gemm": np.where(np.arange(120) == 30, 5.0, NOISE), "copy": NOISE})

    texts = IncidentTexts.of(drift(values))

    assert texts.outliers == ["outlier session 2026-01-02 06:00: gemm duration_p50_ms"]
    assert texts.terminal == ""


def test_the_newest_outlier_sessions_are_named_and_the_others_counted():
    values = session_frame({"gemm": np.where(np.isin(np.arange(120), (20, 40, 60, 80, 100)), 5.0, NOISE)})

    *named, rest = IncidentTexts.of(drift(values)).outliers

    assert [line.partition(":")[0][-13:] for line in named] == ["2026-01-05 04", "2026-01-04 08", "2026-01-03 12"]
    assert rest == "… and 2 more outlier sessions"
