"""Draw each shape of a change from simulated sessions: ``python docs/scripts/shape_pictures.py``.

The series are drawn with fixed seeds and judged by ``judge_series``, so equal code gives an equal picture. A test
checks that the committed picture is up to date.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

import clamp_analytics as clamp

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "shapes.svg"
SESSIONS = 60
NOISE = 0.05
WIDTH, HEIGHT, MARGIN = 300, 110, 24
COLUMNS = 2
COLOURS = ("#1f6feb", "#d9730d")
SECOND = "#8c959f"

Floats = npt.NDArray[np.float64]


def noisy(levels: Floats, seed: int) -> Floats:
    """Sessions at the given levels, with independent noise."""
    values: Floats = levels * np.exp(NOISE * np.random.default_rng(seed).standard_normal(levels.size))
    return values


def steps(*levels: tuple[float, int]) -> Floats:
    """The levels of sessions: each for a number of sessions."""
    return np.concatenate([np.full(count, level) for level, count in levels])


def shapes() -> Iterator[tuple[str, Floats]]:
    """Each shape with the durations of its sessions."""
    yield "step", noisy(steps((1.0, 35), (1.4, 25)), 1)
    yield "trend", noisy(np.linspace(1.0, 2.0, SESSIONS), 2)
    yield "outage", noisy(steps((1.0, 25), (1.5, 12), (1.0, 23)), 3)
    yield "outlier", noisy(steps((1.0, 30), (2.2, 1), (1.0, 29)), 4)
    yield "several", noisy(steps((1.0, 20), (1.8, 20), (1.4, 20)), 5)


def mix() -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Durations of sessions on two backends, and which of them run on the slow one: rarely at first, then often."""
    slow = np.array([number % 4 == 0 if number < SESSIONS // 2 else number % 4 != 0 for number in range(SESSIONS)])
    return noisy(np.where(slow, 1.5, 1.0), 6), slow


def panel(title: str, text: str, values: Floats, colours: Sequence[str], levels: Sequence[float]) -> str:
    """One series: a point per session, a line for each level."""
    low, high = float(values.min()), float(values.max())
    x = MARGIN / 2 + np.arange(values.size) * (WIDTH - MARGIN) / (values.size - 1)
    y = 40 + (HEIGHT - 50) * (1 - (np.append(values, levels) - low) / (high - low))
    points = "".join(
        f'<circle cx="{at:.1f}" cy="{height:.1f}" r="2" fill="{colour}"/>'
        for at, height, colour in zip(x, y[: values.size], colours, strict=True)
    )
    line = " ".join(f"{at:.1f},{height:.1f}" for at, height in zip(x, y[values.size :], strict=False))
    path = f'<polyline points="{line}" fill="none" stroke="{SECOND}" stroke-width="1.5"/>' if levels else ""
    return (
        f'<text x="{MARGIN / 2:g}" y="14" font-weight="bold">{escape(title)}</text>'
        f'<text x="{MARGIN / 2:g}" y="28" fill="#57606a">{escape(text)}</text>{path}{points}'
    )


def series_panel(name: str, values: Floats) -> str:
    """A shape with its verdict and levels."""
    found = clamp.judge_series(values)
    levels = np.full(values.size, found.first)
    for change in found.changes:
        levels[change.index :] = change.after
    if found.slope is not None:
        levels = np.geomspace(found.first, found.latest, values.size)
    return panel(f"{name}: {found.verdict}", _text(found), values, [COLOURS[0]] * values.size, levels.tolist())


def _text(found: clamp.SeriesJudgement) -> str:
    if found.slope is not None:
        return f"{found.first:.2f} to {found.latest:.2f} ms in a steady line"
    if found.changes:
        return ", ".join(f"{one.after:.2f} ms from session {one.index}" for one in found.changes)
    return f"session {', '.join(map(str, found.outliers))} is an outlier"


def mix_panel() -> str:
    """Two backends whose share changes, each of them unchanged."""
    values, slow = mix()
    verdicts = {str(clamp.judge_series(values[part]).verdict) for part in (slow, ~slow)}
    colours = [COLOURS[int(one)] for one in slow]
    return panel("mix", f"each backend by itself: {', '.join(sorted(verdicts))}", values, colours, [])


def picture() -> str:
    """The picture as SVG."""
    panels = [*(series_panel(name, values) for name, values in shapes()), mix_panel()]
    groups = "".join(
        f'<g transform="translate({number % COLUMNS * WIDTH},{number // COLUMNS * HEIGHT})">{content}</g>\n'
        for number, content in enumerate(panels)
    )
    width, height = COLUMNS * WIDTH, -(-len(panels) // COLUMNS) * HEIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11">\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n{groups}</svg>\n'
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(), "utf-8")
