"""The report in Chromium: all charts are drawn, nothing is requested, and every reader can use it."""

from __future__ import annotations

import base64
import json
import re
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.html_report.browsing import draw_all, emulate, open_all, resize, show, style, until, wait_for_charts
from tests.html_report.conftest import HOSTILE


def test_every_chart_is_drawn(opened: Any) -> None:
    open_all(opened)

    marks = opened.execute_script(
        "return [...document.querySelectorAll('.chart')]"
        ".map(element => element.querySelectorAll('svg [class*=role-mark] path, svg [class*=role-mark] line').length)"
    )

    assert opened.execute_script("return document.documentElement.dataset.charts") == "drawn"
    assert len(marks) >= 8
    assert min(marks) > 0


def test_a_chart_far_from_the_window_is_drawn_when_the_reader_comes_near(browser: Any, page: Path) -> None:
    last = "document.querySelector('#timeline .chart')"
    browser.get(page.as_uri())
    wait_for_charts(browser)

    was_drawn = browser.execute_script(f"return {last}.querySelector('svg') !== null")
    browser.execute_script(f"{last}.scrollIntoView()")
    until(browser, f"return {last}.querySelector('svg') !== null")

    assert was_drawn is False


def test_the_page_does_not_move_when_charts_are_drawn(browser: Any, page: Path) -> None:
    height = "return document.documentElement.scrollHeight"
    browser.get(page.as_uri())
    wait_for_charts(browser)

    before = browser.execute_script(height)
    draw_all(browser)

    assert abs(browser.execute_script(height) - before) < 30


def test_printing_draws_all_charts(browser: Any, page: Path) -> None:
    browser.get(page.as_uri())
    browser.execute_script(
        "addEventListener('afterprint', () => { window.undrawn = [...document.querySelectorAll('.chart')]"
        ".filter(one => one.checkVisibility() && !one.querySelector('svg')).length; })"
    )
    browser.execute_cdp_cmd("Page.printToPDF", {})

    assert until(browser, "return window.undrawn !== undefined && [window.undrawn]") == [0]


def test_changed_series_have_tables_of_their_values_without_javascript(page: Path) -> None:
    text = page.read_text()

    static = re.findall('<details class="points"><summary>Data of this chart</summary><div .*?<caption>(.*?)<', text)
    assert "duration_p50_ms of upload" in static


def test_the_console_stays_empty(opened: Any) -> None:
    assert opened.get_log("browser") == []


def test_nothing_is_requested_but_the_file_itself(opened: Any, page: Path) -> None:
    messages = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]

    addresses = {
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    }

    assert {address for address in addresses if not address.startswith("data:")} == {page.as_uri()}


def test_the_policy_keeps_the_page_from_running_other_code(opened: Any) -> None:
    outcome = opened.execute_script(
        "window.refused = new Set();"
        "document.addEventListener('securitypolicyviolation', event => refused.add(event.effectiveDirective));"
        "const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        "document.body.append(script);"
        "const image = new Image(); image.src = 'https://example.invalid/x.png';"
        "return window.ran === true"
    )

    assert outcome is False
    said = until(opened, "return window.refused.size === 2 && [...window.refused]")
    assert set(said) == {"script-src-elem", "img-src"}


def test_the_dark_scheme_changes_page_and_charts(opened: Any) -> None:
    def colours() -> tuple[str, str, str]:
        return (
            style(opened, "html", "backgroundColor"),
            style(opened, "h1", "color"),
            style(opened, ".chart .mark-line path", "stroke"),
        )

    emulate(opened, scheme="light")
    light = colours()
    emulate(opened, scheme="dark")
    dark = colours()

    assert all(one != other for one, other in zip(light, dark, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_contrasts_with_its_background(opened: Any, scheme: str) -> None:
    emulate(opened, scheme=scheme)
    behind = {"html": ["h1", "figcaption", "summary", "caption", "nav a", ".verdict", ".regressed"]}
    behind[".conclusion"] = [".conclusion", ".conclusion strong"]
    behind[".matrix .regressed"] = [".matrix .regressed a"]
    behind["thead th"] = ["thead th"]

    ratios = {
        name: contrast(style(opened, name, "color"), style(opened, back, "backgroundColor"))
        for back, names in behind.items()
        for name in names
    }

    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}


def contrast(one: str, other: str) -> float:
    """The contrast of two colours.

    Source: Web Content Accessibility Guidelines 2.1, "contrast ratio" and "relative luminance".
    """

    def luminance(colour: str) -> float:
        channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    "name, width", [*(("opened", width) for width in (360, 390, 768, 1440)), ("hostile", 360), ("hostile", 1440)]
)
def test_the_page_never_scrolls_to_the_side(name: str, width: int, request: pytest.FixtureRequest) -> None:
    browser = request.getfixturevalue(name)
    page = request.getfixturevalue({"opened": "page", "hostile": "hostile_page"}[name])
    resize(browser, width)
    show(browser, page)
    open_all(browser)

    found, outside = browser.execute_script(
        "return [document.documentElement.scrollWidth, [...document.querySelectorAll('.chart svg')]"
        ".filter(svg => svg.getBoundingClientRect().right > innerWidth).length]"
    )

    assert (found, outside) == (width, 0)


@pytest.mark.parametrize("width", [390, 1440])
def test_a_report_without_a_change_is_below_3000_pixels_tall(opened: Any, stable_page: Path, width: int) -> None:
    resize(opened, width)
    show(opened, stable_page)

    assert opened.execute_script("return document.documentElement.scrollHeight") < 3000


def test_the_page_opens_with_the_conclusion_and_its_colour(opened: Any) -> None:
    text, colour = opened.execute_script(
        "const one = document.querySelector('.conclusion');"
        "return [one.textContent, getComputedStyle(one).borderLeftColor]"
    )

    assert "Not stable: upload since 16 Mar, run_015: p50 +" in text
    assert colour == "rgb(179, 38, 30)"


def test_a_cell_of_the_overview_leads_to_its_series(opened: Any) -> None:
    cell = opened.find_element("css selector", ".matrix td.regressed a")
    name = cell.get_attribute("aria-label")
    opened.execute_script("arguments[0].click()", cell)

    target = until(opened, "return document.querySelector('figure:target, tr:target')?.textContent")
    assert name.startswith("upload, ")
    assert "upload" in target


def test_a_cell_of_an_unchanged_series_opens_the_folded_part(opened: Any) -> None:
    cell = opened.find_element("css selector", ".matrix td.unchanged a")
    opened.execute_script("arguments[0].click()", cell)

    assert until(opened, "return document.querySelector(':target')?.checkVisibility()")


def test_the_filter_hides_other_names(opened: Any) -> None:
    opened.find_element("id", "filter").send_keys("UPL")

    said = until(opened, "return document.getElementById('matches').textContent")
    groups = opened.execute_script(
        "return [...document.querySelectorAll('[data-group]:not([hidden])')].map(one => one.dataset.group)"
    )
    assert said == "1 of 3"
    assert set(groups) == {"upload"}


def test_the_filter_hides_incidents_of_other_names(opened: Any) -> None:
    opened.find_element("id", "filter").send_keys("cache")

    until(opened, "return document.getElementById('matches').textContent")
    assert opened.execute_script("return document.querySelectorAll('.incident:not([hidden])').length") == 0


POINTS = (
    "const points = [...document.querySelectorAll('[data-kind=series]')].filter(one => one.querySelector('svg'))"
    ".map(one => [...one.querySelectorAll('.mark-symbol path')].map(path => path.getAttribute('transform')).join());"
)
"""The positions of the points of every series that is drawn."""


def test_the_brush_zooms_all_charts_and_the_button_resets_them(opened: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    before = opened.execute_script(POINTS + "return points")
    strip = opened.find_element("css selector", "[data-kind=sessions] svg")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", strip)
    actions = ActionChains(opened)
    actions.move_to_element_with_offset(strip, -80, -15).click_and_hold().move_by_offset(160, 0).release().perform()

    until(opened, "return !document.getElementById('reset').disabled")
    until(opened, POINTS + "return points.every((text, index) => text !== arguments[0][index])", before)
    opened.execute_script("document.getElementById('reset').click()")
    until(opened, POINTS + "return points.every((text, index) => text === arguments[0][index])", before)
    assert opened.get_log("browser") == []


def test_the_first_tab_reaches_the_skip_link_and_it_leads_to_the_content(opened: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    body = opened.find_element("tag name", "body")
    body.send_keys(Keys.TAB)
    link = opened.switch_to.active_element
    text, left = link.text, link.location["x"]
    link.send_keys(Keys.ENTER)

    assert (text, left) == ("Skip to the content", 0)
    assert until(opened, "return document.activeElement.id") == "main"


def test_what_has_the_focus_can_be_seen(opened: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    opened.find_element("tag name", "body").send_keys(Keys.TAB, Keys.TAB)

    outline = opened.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert (opened.switch_to.active_element.tag_name, outline) == ("a", "solid")


def test_every_table_has_a_caption_and_can_be_scrolled_by_keyboard(opened: Any) -> None:
    lacking = opened.execute_script(
        "return [...document.querySelectorAll('table')].filter(table => !table.caption || !table.caption.textContent"
        " || table.closest('[tabindex=\"0\"]') === null).length"
    )

    assert lacking == 0


def test_every_chart_has_a_description_and_a_table_of_its_data(opened: Any) -> None:
    open_all(opened)
    until(opened, "return [...document.querySelectorAll('details.points')].every(one => one.querySelector('tbody tr'))")

    lacking = opened.execute_script(
        "return [...document.querySelectorAll('figure')].filter(figure =>"
        " !figure.querySelector('[role=img][aria-label]') || !figure.querySelector('details tbody tr')).length"
    )

    assert lacking == 0


def test_headings_leave_out_no_level(opened: Any) -> None:
    levels = opened.execute_script("return [...document.querySelectorAll('h1,h2,h3,h4')].map(one => +one.tagName[1])")

    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_change_point_is_a_dashed_line_with_a_number(opened: Any) -> None:
    figure = "[...document.querySelectorAll('figure')].find(one => one.textContent.includes('regressed'))"

    dashes = opened.execute_script(
        f"return [...{figure}.querySelectorAll('.mark-rule line')].map(one => one.getAttribute('stroke-dasharray'))"
    )
    numbers = opened.execute_script(
        f"return [...{figure}.querySelectorAll('.role-mark text')].map(one => one.textContent)"
    )

    assert "6,3" in dashes
    assert numbers[0] == "1"


def test_a_point_has_a_tooltip_with_its_session_and_value(opened: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    point = opened.find_element("css selector", "[data-kind=series] .mark-symbol path")
    # The page hides its tooltip when it is scrolled, of which it learns before the next frame.
    opened.execute_async_script(
        "const [point, done] = arguments; point.scrollIntoView({block: 'center'});"
        "requestAnimationFrame(() => requestAnimationFrame(done))",
        point,
    )
    ActionChains(opened).move_to_element(point).perform()

    said = until(opened, "return document.querySelector('#tooltip:not([hidden])')?.innerText")
    assert "session" in said
    assert "UTC" in said


def test_hostile_names_run_nothing(hostile: Any) -> None:
    from selenium.common.exceptions import NoAlertPresentException

    with pytest.raises(NoAlertPresentException):
        _ = hostile.switch_to.alert.text
    assert hostile.get_log("browser") == []
    assert hostile.execute_script("return document.querySelectorAll('img').length") == 0


def test_hostile_names_show_as_text(hostile: Any) -> None:
    text = hostile.execute_script("return document.body.textContent")

    for name in HOSTILE[:4]:
        assert name in text
    assert "\\u202eover\\u202cturned" in text
    assert "nul\\x00 escape\\x1b[31m line\\u2028end" in text
    assert "x" * 79 + "…" in text
    assert "x" * 300 not in text


def test_charts_of_hostile_names_are_drawn(hostile: Any) -> None:
    open_all(hostile)
    drawn = hostile.execute_script("return [...document.querySelectorAll('svg text')].map(one => one.textContent)")

    assert hostile.execute_script("return document.documentElement.dataset.charts") == "drawn"
    assert any(text.startswith("{{7*7}}") for text in drawn)
    assert any(HOSTILE[3] in text for text in drawn)


def test_paper_is_white_in_the_dark_scheme_too(opened: Any) -> None:
    emulate(opened, scheme="dark", media="print")

    assert style(opened, "html", "backgroundColor") == "rgb(255, 255, 255)"
    assert contrast(style(opened, ".chart .mark-line path", "stroke"), "rgb(255, 255, 255)") >= 4.5
    assert style(opened, "nav", "display") == "none"


def test_it_prints(opened: Any) -> None:
    printed = base64.b64decode(opened.execute_cdp_cmd("Page.printToPDF", {})["data"])

    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", printed, re.DOTALL)
    shows_text = [b" Tf" in inflated(stream) for stream in streams]
    assert printed.startswith(b"%PDF-")
    assert any(shows_text)


def inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""
