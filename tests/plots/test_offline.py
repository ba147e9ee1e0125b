"""Charts in notebooks that are drawn without a network."""

from __future__ import annotations

import pytest

pytest.importorskip("altair", reason="the charts extra is not installed")
pytest.importorskip("vl_convert", reason="the charts extra is not installed")

import altair as alt

from clamp_analytics import plots

HOSTILE = "</script><b>\u2028"


def test_a_chart_is_shown_with_its_data_and_no_address() -> None:
    chart = alt.Chart(alt.Data(values=[{"name": HOSTILE}])).mark_point().encode(x="name:N")

    with alt.renderers.enable("default"):
        plots.draw_offline()
        output = chart._repr_mimebundle_()["text/html"]

    assert "https://" not in output
    assert r"\u003c/script\u003e\u003cb\u003e\u2028" in output


def test_the_result_loads_the_chart_library() -> None:
    with alt.renderers.enable("default"):
        library = plots.draw_offline()._repr_html_()

    assert library.startswith("<script>(() => {")
    assert library.count("</script>") == 1
    assert "window.vegaEmbed=" in library
