"""Pictures: their formats and size, and how many series they leave out."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("altair", reason="the charts extra is not installed")
pytest.importorskip("vl_convert", reason="the charts extra is not installed")
pytest.importorskip("scipy", reason="the drift extra is not installed")

from clamp_analytics import plots
from tests.plots.builders import drift_result


def grid(names: str, **more: int | None) -> plots.Grid:
    """A picture of one series per name."""
    result = drift_result(*({"group": {"context": name}, "values": [1, 2, 3]} for name in names.split()))
    return plots.panel_grid(plots.select_panels(result, ["context"], at_most=50), **more)


def size_of(svg: bytes) -> tuple[float, float]:
    """Width and height of an SVG picture."""
    found = re.search(rb'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"', svg)
    assert found
    return float(found[1]), float(found[2])


@pytest.mark.parametrize("kind, start", [("png", b"\x89PNG\r\n\x1a\n"), ("svg", b"<svg"), ("pdf", b"%PDF-")])
def test_a_picture_has_its_format(kind, start):
    assert plots.render_image(grid("a b").chart, kind).startswith(start)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_png_or_svg_always_has_the_same_bytes(kind):
    chart = grid("a b").chart

    assert plots.render_image(chart, kind) == plots.render_image(chart, kind)


def test_names_in_a_picture_are_escaped():
    assert "größe&lt;b&gt;".encode() in plots.render_image(grid("größe<b>").chart, "svg")


def test_a_picture_says_how_many_series_it_leaves_out():
    picture = grid("a b c", at_most=1)

    assert (picture.drawn, picture.left_out) == (1, 2)
    assert "2 more series not shown" in plots.render_image(picture.chart, "svg").decode()


@pytest.mark.parametrize("count", [1, 2, 8, 9, 40])
def test_a_picture_has_at_most_1600_by_1200_points_by_default(count):
    names = " ".join(f"context-{number:02}" for number in range(count))

    width, height = size_of(plots.render_image(grid(names).chart, "svg"))

    assert width <= plots.LARGEST_PICTURE[0]
    assert height <= plots.LARGEST_PICTURE[1]


def test_a_picture_without_a_limit_has_all_series():
    names = " ".join(f"context-{number:02}" for number in range(40))

    assert grid(names, at_most=None).drawn == 40
