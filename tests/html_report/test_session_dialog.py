"""The dialog of a session in the report: its file, figures, anchors and neighbours."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.html_report.browsing import resize, show, until


def open_session(browser: Any, number: int = 0) -> str:
    """Open a session by its button in the first incident, and return the text of the dialog when it is complete."""
    browser.execute_script(
        "delete document.getElementById('session').dataset.shown;"
        "document.querySelectorAll('.incident button[data-session]')[arguments[0]].click()",
        number,
    )
    until(browser, "return document.getElementById('session').dataset.shown")
    text: str = browser.execute_script("return document.getElementById('session').innerText")
    return text


def test_a_session_has_its_file_figures_violations_values_and_anchors(opened: Any) -> None:
    text = open_session(opened, 1)

    assert "run_015.json" in text
    assert "2026-03-16 06:00:00 UTC" in text
    assert re.search(r"records\s+18\s", text)
    assert re.search(r"Violations\s+None\.", text)
    assert re.search(r"upload\s+duration_p50_ms\s+[\d.]+ ms", text)
    assert opened.execute_script("return document.querySelectorAll('#session svg .mark-rect path').length") == 18


def test_a_click_on_a_point_opens_its_session_and_escape_closes_it(opened: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    point = opened.find_element("css selector", "[data-kind=series] .mark-symbol path")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", point)
    ActionChains(opened).move_to_element(point).click().perform()
    title = until(
        opened, "return document.getElementById('session').open && document.getElementById('session-title').textContent"
    )
    ActionChains(opened).send_keys(Keys.ESCAPE).perform()

    assert title == "run_000"
    assert until(opened, "return !document.getElementById('session').open")


def test_a_neighbour_of_a_session_can_be_opened_from_it(opened: Any) -> None:
    open_session(opened, 1)
    opened.execute_script("[...document.querySelectorAll('#session-body button')].at(-1).click()")

    assert until(opened, "return document.getElementById('session-title').textContent === 'run_016'")


def test_the_trace_of_an_incident_has_the_anchors_of_two_sessions(opened: Any) -> None:
    text = opened.execute_script(
        "let saved; URL.createObjectURL = blob => { saved = blob; return '#'; };"
        "document.querySelector('button[data-trace]').click(); return saved.text()"
    )

    events = json.loads(text)["traceEvents"]
    names = [event["args"]["name"] for event in events if event["name"] == "process_name"]
    assert [name.partition(":")[0] for name in names] == ["before", "after"]
    assert sum(event["ph"] == "X" for event in events) == 36
    anchors = [event for event in events if event["ph"] == "X"]
    begins = {event["pid"]: event["ts"] for event in sorted(anchors, key=lambda event: -event["ts"])}
    assert len(begins) == 2
    assert len(set(begins.values())) == 1


def test_a_session_of_hostile_names_shows_them_as_text(hostile: Any) -> None:
    text = open_session(hostile, 1)

    assert "__proto__" in text
    assert "{{7*7}} ${7*7} datum['x']" in text
    assert hostile.execute_script("return document.querySelectorAll('img').length") == 0
    assert hostile.get_log("browser") == []


@pytest.mark.parametrize("width", [360, 1440])
def test_the_dialog_of_a_session_fits_the_page(opened: Any, page: Path, width: int) -> None:
    resize(opened, width)
    show(opened, page)
    open_session(opened)

    left, right = opened.execute_script(
        "const box = document.getElementById('session').getBoundingClientRect(); return [box.left, box.right]"
    )
    assert left >= 0
    assert right <= width
