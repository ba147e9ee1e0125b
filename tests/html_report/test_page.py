"""The text of a report, and the content of its file."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import random
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("altair", reason="the charts extra is not installed")
pytest.importorskip("vl_convert", reason="the charts extra is not installed")
pytest.importorskip("scipy", reason="the drift extra is not installed")

from clamp_analytics import plots
from clamp_analytics.analysis.compare import CompareOptions
from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.analysis.series import SessionValues
from clamp_analytics.errors import SourceError
from clamp_analytics.html_report import ReportOptions, report
from clamp_analytics.html_report.figures import Figures
from clamp_analytics.html_report.markup import MINUS, Column, Html, format_change, format_number, format_value, table
from clamp_analytics.html_report.page import page
from clamp_analytics.html_report.report_data import ReportDataFold, merge_report_data
from tests.conftest import Raw, decode, record, session, write
from tests.html_report.conftest import HOSTILE, SAMPLES, START, anchor, history, report_on

MOST_BYTES = 3_000_000


def text_of(markup: bytes | str) -> str:
    """What a reader sees of a page, without scripts and styles; with single spaces."""
    given = markup.decode() if isinstance(markup, bytes) else markup
    shown = re.sub(r"<(script|style)\b.*?</\1>", " ", given, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", shown)))


def section_of(page: bytes, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>', page.decode(), re.DOTALL)
    assert found
    return text_of(found.group())


def elements(page: bytes, name: str) -> list[str]:
    return re.findall(rf"<{name}>(.*?)</{name}>", page.decode(), re.DOTALL)


@pytest.fixture(scope="module")
def drifting() -> bytes:
    return report_on(SAMPLES / "drifting")


def test_the_same_sources_give_the_same_bytes(tmp_path):
    runs = history(tmp_path / "runs", {"a": 1.0, "b": 0.0}, sessions=24)

    assert report_on(runs) == report_on(runs)


def test_the_order_in_which_sources_are_named_changes_nothing(tmp_path):
    folders = [str(history(tmp_path / name, {name: 1.0}, sessions=12)) for name in ("a", "b")]

    pages = {report(named, jobs=1).html for named in (folders, folders[::-1])}

    assert len(pages) == 1


def test_the_policy_allows_the_scripts_and_the_style_of_the_page_by_their_hashes_only(drifting):
    (policy,) = re.findall(rb'http-equiv="Content-Security-Policy" content="([^"]*)"', drifting)
    parts = [*elements(drifting, "script"), *elements(drifting, "style")]
    hashes = ["'sha256-" + base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() + "'" for part in parts]

    assert policy.decode() == (
        f"default-src 'none'; script-src {hashes[0]} {hashes[1]}; style-src {hashes[2]}; "
        "base-uri 'none'; form-action 'none'"
    )


def test_the_page_refers_to_nothing_outside_of_itself(drifting):
    markup = re.sub(r"<script>.*?</script>", "", drifting.decode(), flags=re.DOTALL)

    assert re.findall(r"(?:src|href|action|data|poster)\s*=\s*[\"']?(?!#)[^\"'\s>]+", markup) == []
    assert re.findall(r"url\(|@import|https?://", markup) == []


def test_no_element_has_a_handler_or_a_style_of_its_own(drifting):
    markup = re.sub(r"<script\b.*?</script>", "", drifting.decode(), flags=re.DOTALL)

    assert re.findall(r"<[^>]+\s(?:on\w+|style)\s*=", markup) == []


def test_data_cannot_end_their_script():
    text = plots.in_script({"a": "</script><!--&\u2028\u2029"})

    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == {"a": "</script><!--&\u2028\u2029"}


def test_hostile_names_never_become_markup(hostile_page):
    markup = re.sub(r"<script\b.*?</script>", "", hostile_page.read_text(), flags=re.DOTALL)

    assert not re.search(r"<img|<svg|alert\(\d\)>", markup)
    assert html.escape(HOSTILE[0]) in markup
    assert "\u202e" not in markup
    assert "\x00" not in markup


def test_the_figures_are_those_of_the_sources(tmp_path):
    runs = tmp_path / "runs"
    start, end = START, START + timedelta(hours=3)
    write(
        runs,
        {
            "a.json": session(anchor(start, 1.0, stability_score=Raw("0.5")), anchor(start, 1.0, seed=8, context="b")),
            "b.json": session(anchor(end, 0, seed=0, released_at=None, context="b")),
            "broken.json": b"{",
        },
    )

    shown = section_of(report_on(runs), "figures")

    for figure in (
        "sessions 2",
        "records 3",
        "in flight 1",
        "contexts 2",
        # Of 0.5, 1 and 1: 2.5 / 3, and ((1/3)^2 + 2 (1/6)^2) / 2.
        "mean stability 0.833333",
        "sample variance 0.083333",
        "drift index 3 h",
        "Files: 3 seen = 2 loaded + 1 rejected + 0 skipped",
        "from 2026-03-01 06:00:00 to 2026-03-01 09:00:00 UTC; drift index 10,800,000.000 ms",
    ):
        assert figure in shown


def test_series_that_changed_come_first(tmp_path):
    runs = history(tmp_path / "runs", {"quiet": 0.0, "slower": 1.0}, sessions=40, shift=2.0)

    shown = section_of(report_on(runs, ReportOptions(metrics=("duration_p50_ms",))), "series")

    assert shown.index("✗ regressed slower duration_p50_ms") < shown.index("= unchanged quiet duration_p50_ms")
    assert "2026-03-21 06:00:00" in shown
    assert "run_020.json" in shown


def test_a_report_against_a_baseline_says_what_differs_and_what_appeared(tmp_path):
    before = history(tmp_path / "before", {"a": 0.0, "gone": 0.0}, sessions=24)
    after = history(tmp_path / "after", {"a": 0.0, "new": 0.0}, sessions=24)
    options = ReportOptions(metrics=("duration_p50_ms",), compare=CompareOptions(confidence=0.9))

    shown = section_of(report_on(after, options, baseline=str(before)), "baseline")

    assert "Baseline: 24 sessions; these sources: 24 sessions." in shown
    assert re.search(r"Only in these sources .* new 24 144", shown)
    assert re.search(r"Only in the baseline .* gone 24 144", shown)


def test_a_report_without_a_baseline_has_no_section_on_it(drifting):
    assert b'id="baseline"' not in drifting


def test_rejected_files_are_named_with_the_reason(tmp_path):
    runs = history(tmp_path / "runs", {"a": 0.0}, sessions=3)
    (runs / "<cut>.json").write_bytes(b'{"records": [')

    shown = section_of(report_on(runs), "rejected")

    assert re.search(r"<cut>\.json The file ends inside its JSON document", shown)


def test_violations_are_listed_worst_first_with_the_number_of_what_follows(tmp_path):
    zeros = [record(seed=0, acquired_at=f"2026-01-01T00:{minute:02}:00Z") for minute in range(60)]
    runs = write(tmp_path, {"a.json": session(*zeros), "b.json": session(record(stability_score=2))})

    shown = section_of(report_on(runs), "violations")

    assert shown.index("error score-range") < shown.index("warning seed-zero")
    # 60 zero seeds and 60 durations that contradict their timestamps, an error, and two declared means.
    listed = int(re.search(r"The first (\d+) violations", shown)[1])  # type: ignore[index]
    rest = int(re.search(r"… and (\d+) more", shown)[1])  # type: ignore[index]
    assert (listed, rest) == (50, sum(_violations(runs).values()) - 50)


def _violations(folder: Path) -> dict[str, int]:
    found = decode(*(path.read_bytes() for path in sorted(folder.iterdir()))).violations
    return dict(found.group_by("rule").len().iter_rows())


def test_the_snapshot_is_shown_with_its_own_digits_and_as_text(tmp_path):
    runs = history(tmp_path / "runs", {"a": 0.0}, sessions=3)

    shown = report_on(runs, build_info='{"digest":1.50,"big":18446744073709551616,"x":"<b>\\u202e"}').decode()

    assert "&quot;digest&quot;: 1.50," in shown
    assert "18446744073709551616" in shown
    assert "&lt;b&gt;" in shown


def test_sessions_without_a_timestamp_still_give_a_report(tmp_path):
    runs = write(tmp_path, {"a.json": session(record(acquired_at="", released_at=""))})

    page = report_on(runs)

    assert "1 session without a usable timestamp" in section_of(page, "figures")
    assert "No session has a usable timestamp" in section_of(page, "over-time")
    assert "No anchor has a usable time of acquisition" in section_of(page, "timeline")


def test_a_session_without_a_record_gives_a_report(tmp_path):
    runs = write(tmp_path, {"a.json": session()})

    assert "records 0" in section_of(report_on(runs), "figures")


def test_sources_without_a_session_give_no_report(tmp_path):
    runs = write(tmp_path, {"a.json": b"{"})

    with pytest.raises(SourceError, match="no usable session"):
        report_on(runs)


def test_the_timeline_shows_the_latest_session_with_more_than_one_anchor(tmp_path):
    runs = tmp_path / "runs"
    days = [START + timedelta(days=number) for number in range(3)]
    write(
        runs,
        {
            "first.json": session(anchor(days[0], 1), anchor(days[0], 1, seed=9)),
            "second.json": session(anchor(days[1], 1), anchor(days[1], 1, seed=9)),
            "third.json": session(anchor(days[2], 1)),
        },
    )

    assert "second.json, from 2026-03-02 06:00:00 UTC" in section_of(report_on(runs), "timeline")


def test_the_timeline_says_how_many_anchors_it_leaves_out(tmp_path):
    anchors = [anchor(START + timedelta(milliseconds=5 * n), 1, seed=n + 1) for n in range(420)]
    runs = write(tmp_path, {"a.json": session(*anchors)})

    assert "… and 120 more anchors of this session" in section_of(report_on(runs), "timeline")


def test_a_timeline_of_whole_seconds_says_that_their_order_is_unknown(tmp_path):
    runs = write(tmp_path, {"a.json": session(record(), record(seed=8))})

    assert "their order is unknown" in section_of(report_on(runs), "timeline")


def test_batches_add_up_to_the_data_of_all_files():
    files = [session(*(anchor(START, ms, seed=ms, context=name) for ms in (1, 2, 4))) for name in ("a", "b", "a")]
    fold = ReportDataFold()

    together = merge_report_data([fold(decode(*files))])
    apart = merge_report_data([fold(decode(one)) for one in files])

    for name in ("durations", "rules"):
        one, other = getattr(together, name), getattr(apart, name)
        assert one.sort(one.columns).equals(other.sort(other.columns))
    assert together.boxes.equals(apart.boxes)
    assert together.summary.groups == apart.summary.groups


def test_percentiles_of_durations_leave_out_anchors_in_flight():
    given = decode(session(*(anchor(START, ms, seed=ms) for ms in (1, 2, 3, 4, 5)), anchor(START, 0, released_at=None)))

    boxes = merge_report_data([ReportDataFold()(given)]).boxes

    assert boxes.select("p25", "p50", "p75", "anchors").rows() == [(2.0, 3.0, 4.0, 5)]


def test_a_page_on_5000_sessions_of_50_contexts_stays_below_3_mb():
    rng = random.Random(2)
    sessions, contexts = 5_000, 50
    started = [START + timedelta(minutes=30 * number) for number in range(sessions)]
    noise = pl.Series([math.exp(rng.gauss(0, 0.3)) for _ in range(sessions * contexts)])
    values = pl.DataFrame(
        {
            "source": [f"runs/run_{n:05}.json" for n in range(sessions) for _ in range(contexts)],
            "started_at": [at for at in started for _ in range(contexts)],
            "context": [f"pipeline/stage-{n:02}" for n in range(contexts)] * sessions,
            "records": pl.Series([5] * (sessions * contexts), dtype=pl.UInt32),
            **{name: noise.clip(0, 1) if METRICS[name].unit in {"0 to 1", "share"} else noise for name in METRICS},
        },
        schema_overrides={"started_at": pl.Datetime("us", "UTC")},
    )
    from clamp_analytics.analysis.drift import drift
    from clamp_analytics.batch import Batch
    from clamp_analytics.html_report import verdict_tables
    from clamp_analytics.html_report.links import SeriesLinks
    from clamp_analytics.html_report.matrix import matrix
    from clamp_analytics.html_report.session_details import session_details
    from clamp_analytics.html_report.session_records import collect_sessions
    from clamp_analytics.reading import Counts
    from tests.analysis.drift.conftest import attributes_of

    given = SessionValues(
        values, attributes_of(values), ("context",), tuple(METRICS), sessions, 0, Counts(sessions, 0, 0)
    )
    found = drift(given)
    figures = Figures()
    metrics = plots.select_panels(found, ("context",), METRICS)
    links = SeriesLinks(found.verdicts, ("context",), metrics, verdict_tables.MOST_VERDICTS)
    drawn = figures.strip(found.series) + figures.changed_series(metrics, links)
    drawn += figures.unchanged_series(metrics, links)
    tables = verdict_tables.all_series(found, ("context",), links) + matrix(found.verdicts, ("context",), links)

    anchors = pl.DataFrame(
        {
            "source": [f"runs/run_{n:05}.json" for n in range(sessions) for _ in range(20)],
            "record_index": pl.Series([*range(20)] * sessions, dtype=pl.UInt32),
            "context": [f"pipeline/stage-{n:02}" for n in range(20)] * sessions,
            "seed": pl.Series([2**63] * (sessions * 20), dtype=pl.UInt64),
            "thread_id": ["140223441856000"] * (sessions * 20),
            "acquired_at": [at + timedelta(milliseconds=n) for at in started for n in range(20)],
            "released_at": [at + timedelta(milliseconds=n + 1) for at in started for n in range(20)],
            "duration_ms": [1.0] * (sessions * 20),
            "stability_score": [1.0] * (sessions * 20),
        },
        schema_overrides={"acquired_at": pl.Datetime("us", "UTC"), "released_at": pl.Datetime("us", "UTC")},
    )
    batch = replace(Batch.empty(anchors.columns), records=anchors)
    details = session_details(found, collect_sessions(batch), metrics)

    markup = page("", [("a", "A", tables), ("b", "B", drawn)], figures.specifications, details)

    assert len(figures.specifications) == len(METRICS) * plots.MOST_PANELS + 1
    assert len(details["sessions"]) == sessions
    assert len(markup) < MOST_BYTES


@pytest.mark.parametrize(
    "value, shown",
    [
        (None, "-"),
        (math.nan, "-"),
        (0.0, "0"),
        (1.0, "1"),
        (0.123456, "0.1235"),
        (1234567.8, "1,234,568"),
        (0.00001234567, "1.235e-05"),
        (-2.5, "-2.5"),
        (1e20, "1e+20"),
    ],
)
def test_a_number_has_four_significant_digits(value, shown):
    assert format_number(value) == shown


def test_a_measured_value_has_its_unit():
    assert format_value("duration_p95_ms", 1.5) == "1.5 ms"
    assert format_value("unstable_share", 0.125) == "0.125"
    assert format_value("mean_stability", 0.75) == "0.75"
    assert format_value("violations", None) == "-"


@pytest.mark.parametrize(
    "metric, before, after, shown",
    [
        ("duration_p95_ms", 2.0, 3.0, "+50.0 %"),
        ("duration_p95_ms", 0.0, 3.0, "+3"),
        ("duration_p95_ms", 1.0, 250.0, "250 times"),
        ("unstable_share", 0.1, 0.3, "+0.200"),
        ("mean_stability", 1.0, 0.8, f"{MINUS}0.200"),
        ("in_flight", None, 1.0, "-"),
    ],
)
def test_a_change_is_given_in_the_terms_of_its_metric(metric, before, after, shown):
    assert format_change(METRICS[metric], before, after) == shown


def test_text_in_a_table_is_escaped_and_markup_is_not():
    markup = table("A & B", [Column("x"), Column("n", is_number=True)], [["<b>", 1234], [Html("<i>ok</i>"), None]], 3)

    assert '<th scope=row>&lt;b&gt;</th><td class="n">1,234</td>' in markup
    assert '<th scope=row><i>ok</i></th><td class="n">-</td>' in markup
    assert "<caption>A &amp; B</caption>" in markup
    assert "… and 3 more" in markup
