"""Histories of sessions, reports on them, and a browser that opens the reports."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clamp_analytics.html_report import ReportOptions, report
from tests.conftest import Raw, record, session
from tests.html_report.browsing import show

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
SAMPLES = Path(__file__).parents[2] / "data" / "samples"


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def anchor(at: datetime, ms: float, **changes: Any) -> dict[str, Any]:
    """A record that was acquired at a moment and held for so many milliseconds."""
    released = at + timedelta(milliseconds=ms)
    given = {"acquired_at": stamp(at), "released_at": stamp(released), "duration_ms": Raw(f"{ms:.3f}")}
    return record(**{**given, **changes})


def history(folder: Path, contexts: Mapping[str, float], sessions: int = 30, shift: float = 2.0) -> Path:
    """Sessions, one a day, of which each context's durations grow by a factor in the second half.

    ``contexts`` says how much of the shift each one has: 1 all of it, 0 nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(5)
    for number in range(sessions):
        at = START + timedelta(days=number)
        records = []
        for index, (context, share) in enumerate(contexts.items()):
            slower = 1 + (shift - 1) * share if number >= sessions // 2 else 1
            for cycle in range(6):
                ms = math.exp(rng.gauss(0, 0.1)) * slower
                begin = at + timedelta(milliseconds=20 * (6 * index + cycle))
                records.append(anchor(begin, ms, context=context, thread_id=str(index), seed=rng.getrandbits(64) | 1))
        (folder / f"run_{number:03d}.json").write_bytes(session(*records))
    return folder


def report_on(folder: Path, options: ReportOptions | None = None, **more: Any) -> bytes:
    return report(str(folder), options=options, jobs=1, **more).html


HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "<svg/onload=alert(2)>",
    "{{7*7}} ${7*7} datum['x']",
    "a.b[0].c\\d'e\"f",
    "\u202eover\u202cturned",
    "nul\x00 escape\x1b[31m line\u2028end",
    "x" * 10_000,
    "constructor",
    "toString",
    "__proto__",
    "valueOf",
    "a.b",
    "a[0]",
    "'",
    '"',
    "${x}",
    "{{x}}",
    "\u05e9\u05dc\u05d5\u05dd (1)",
)
"""Contexts that would do harm if they were code, markup or keys of an object: names are data."""


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    history(folder / "runs", dict.fromkeys(HOSTILE, 1.0), sessions=24)
    page = folder / "report.html"
    page.write_bytes(report_on(folder / "runs", build_info='{"<b>": "</script><script>alert(3)</script>"}'))
    return page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on a history in which one of three contexts shifts, and one anchor is in flight."""
    folder = tmp_path_factory.mktemp("report")
    runs = history(folder / "runs", {"upload": 1.0, "reduce": 0.0, "cache": 0.0})
    at = START + timedelta(days=40)
    held = anchor(at + timedelta(milliseconds=5), 0, context="reduce", thread_id="2", released_at=None, seed=0)
    (runs / "run_last.json").write_bytes(session(anchor(at, 3.0, context="upload"), held, stability_score=Raw("1")))
    (runs / "broken.json").write_bytes(b'{"records": [')
    path = folder / "report.html"
    path.write_bytes(report_on(runs))
    return path


@pytest.fixture(scope="module")
def stable_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on twelve contexts of which none changes."""
    folder = tmp_path_factory.mktemp("stable")
    runs = history(folder / "runs", {f"context/{number:02}": 0.0 for number in range(12)})
    path = folder / "report.html"
    path.write_bytes(report_on(runs))
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium without a window and without a network."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("chromium and chromedriver are not installed")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    # Without these it refuses to run as root, and in containers with little shared memory.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.set_capability("unhandledPromptBehavior", "ignore")
    chromium = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chromium.set_page_load_timeout(60)
    try:
        yield chromium
    finally:
        chromium.quit()


@pytest.fixture
def opened(browser: Any, page: Path) -> Iterator[Any]:
    yield from _opened(browser, page)


@pytest.fixture
def hostile(browser: Any, hostile_page: Path) -> Iterator[Any]:
    yield from _opened(browser, hostile_page)


def _opened(browser: Any, page: Path) -> Iterator[Any]:
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    show(browser, page)
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
