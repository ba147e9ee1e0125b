"""Take the picture of the HTML report for the README and the site, with Chromium.

Where Chromium is not installed, the committed picture stays.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "images" / "report.png"
SESSIONS = "data/samples/drifting"
WINDOW = (1100, 1500)
"""Width and height in pixels: the verdicts and the first charts."""


def browser() -> str | None:
    """The path of a Chromium; None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def take(chromium: str, target: Path) -> None:
    """Write a report of the sample sessions and take its picture."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        report = [sys.executable, "-m", "clamp_analytics", "report", SESSIONS, "-o", str(page)]
        subprocess.run(report, cwd=ROOT, check=True, capture_output=True)
        subprocess.run(
            [
                chromium,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                f"--user-data-dir={folder}/profile",
                f"--window-size={WINDOW[0]},{WINDOW[1]}",
                "--virtual-time-budget=5000",
                f"--screenshot={target}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


def main() -> None:
    """Replace the picture, if Chromium is installed."""
    chromium = browser()
    if chromium is None:
        sys.stdout.write("Chromium is not installed: the picture of the report is unchanged\n")
        return
    take(chromium, PICTURE)


if __name__ == "__main__":
    main()
