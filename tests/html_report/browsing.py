"""Steps in a browser that shows a report; every wait ends with an event of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PATIENCE = 60
"""Seconds until a condition counts as never met; nothing waits that long where all is well."""


def show(browser: Any, page: Path) -> None:
    """Open a report from disk, and draw all charts in its open parts, those far from the window too."""
    browser.get(page.as_uri())
    wait_for_charts(browser)
    draw_all(browser)


def wait_for_charts(browser: Any) -> None:
    until(browser, "return ['drawn', 'failed'].includes(document.documentElement.dataset.charts)")


def open_all(browser: Any) -> None:
    """Open all folded parts of the page, and draw their charts."""
    browser.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    draw_all(browser)


def draw_all(browser: Any) -> None:
    """Draw all charts in open parts of the page, as printing does, and wait for them."""
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    until(
        browser,
        "return document.documentElement.dataset.charts === 'failed' || "
        "[...document.querySelectorAll('.chart')].every(one => one.querySelector('svg') || !one.checkVisibility())",
    )
    wait_for_charts(browser)


def until(browser: Any, script: str, *arguments: Any) -> Any:
    """Wait until a script gives a true value, and return it."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, PATIENCE).until(lambda driver: driver.execute_script(script, *arguments))


def emulate(browser: Any, *, scheme: str = "light", media: str = "") -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def resize(browser: Any, width: int) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def style(browser: Any, selector: str, name: str) -> str:
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    value: str = browser.execute_script(script, selector, name)
    return value
