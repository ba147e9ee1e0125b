"""The HTML report on 5,000 sessions: the time to write it, its size, and the time until Chromium shows its charts.

Only the two metrics that the report always draws are judged, because judging takes far longer than everything else and
has no influence on how quickly a page opens. The page has a chart per context and metric all the same.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.commands import Settings, clamp_command
from benchmarks.corpus import Corpus
from benchmarks.measure import Spread, run
from benchmarks.tables import Row, Table

SESSIONS = Corpus("report", files=5_000, records=100, plain=True)
"""So many records that every session has every context: series of one length are judged many times faster."""

MOST_SECONDS = 2.0
"""The longest that the page may take to open."""

MOST_MEGABYTES = 3.0

PATIENCE = 60
"""Seconds until a page counts as never drawn."""

METRICS = ("mean_stability", "duration_p95_ms")

UNFOLD = """
document.querySelectorAll("details").forEach((one) => { one.open = true; });
document.querySelector(".unchanged-charts")?.scrollIntoView();
"""
"""Opens all parts of the page, and goes to the charts of the series without a change."""

DRAWN = """
const near = (box) => box.bottom > 0 && box.top < innerHeight;
return ["drawn", "failed"].includes(document.documentElement.dataset.charts)
  && [...document.querySelectorAll(".chart")].every(
    (one) => one.querySelector("svg") || !one.checkVisibility() || !near(one.getBoundingClientRect()));
"""
"""Whether all charts in the window are drawn."""


def tables(settings: Settings) -> Iterator[Table]:
    """The table on the report."""
    table = Table("report", "seconds: to write the report, and from opening it to its last visible chart; no ratio")
    folder, _ = settings.corpus(SESSIONS)
    files = sum(path.suffix == ".json" for path in folder.iterdir())
    with tempfile.TemporaryDirectory() as home:
        page = Path(home, "report.html")
        chosen = [argument for metric in METRICS for argument in ("--metric", metric)]
        command = clamp_command("report", str(folder), "-o", str(page), "--force", *chosen)
        # Once, because the statistics of so many sessions take far longer than the page.
        seconds = run(command).seconds
        size = page.stat().st_size / 1e6
        table.rows.append(Row(f"write, {files:,} sessions", Spread.of([seconds])))
        target = f"below {MOST_MEGABYTES:g} MB"
        table.rows.append(Row("size", target=target, met=size < MOST_MEGABYTES, note=f"{size:.2f} MB"))
        table.rows += _opening(page, settings.runs)
    yield table


def _opening(page: Path, runs: int) -> list[Row]:
    """How long Chromium takes to open the page and to draw what is visible, folded and with all its parts unfolded."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        return [Row("open in Chromium", note="not measured: chromium and chromedriver are not installed")]
    from selenium import webdriver
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))

    def opened(*, unfolded: bool) -> tuple[float, float]:
        """The elapsed seconds, and those of a core that the page itself took."""
        browser.get("about:blank")
        before, begin = _core_seconds(browser), perf_counter()
        browser.get(page.as_uri())
        if unfolded:
            browser.execute_script(UNFOLD)
        WebDriverWait(browser, PATIENCE, poll_frequency=0.02).until(_is_drawn)
        return perf_counter() - begin, _core_seconds(browser) - before

    rows = []
    try:
        browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        opened(unfolded=False)
        for name, unfolded in (("open in Chromium", False), ("open and unfold all", True)):
            elapsed, busy = zip(*(opened(unfolded=unfolded) for _ in range(runs)), strict=True)
            seconds, note = Spread.of(elapsed), f"{Spread.of(busy).median:.2f} s of a core"
            if unfolded:
                rows.append(Row(name, seconds, note=note))
            else:
                met = seconds.median < MOST_SECONDS
                rows.append(Row(name, seconds, target=f"below {MOST_SECONDS:g} s", met=met, note=note))
    finally:
        browser.quit()
    return rows


def _core_seconds(browser: Any) -> float:
    """How long the main thread of the page has been busy."""
    metrics = browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def _is_drawn(browser: Any) -> bool:
    return bool(browser.execute_script(DRAWN))
