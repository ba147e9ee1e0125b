"""Charts of series, durations and anchors, drawn by Altair. Data are aggregated before they are drawn."""

from clamp_analytics.plots.anchor_bars import MOST_LANES, anchor_bars
from clamp_analytics.plots.chart_parts import metric_title
from clamp_analytics.plots.charts import BRUSH, DURATIONS, durations_chart, sessions_chart, timeline_chart
from clamp_analytics.plots.explore import matrix, series, timeline
from clamp_analytics.plots.images import (
    IMAGE_FORMATS,
    LARGEST_PICTURE,
    MOST_IN_PICTURE,
    SCALE,
    Grid,
    panel_grid,
    render_image,
    vega_lite_spec,
)
from clamp_analytics.plots.labels import group_label, label, make_unique, metric_label, shorten_path
from clamp_analytics.plots.offline import chart_runtime, draw_offline, in_script
from clamp_analytics.plots.panels import CHANGED, MOST_PANELS, MetricPanels, Panel, bin_series, select_panels
from clamp_analytics.plots.series_over_time import ZOOM, series_chart
from clamp_analytics.plots.series_plot import Plot, plot
from clamp_analytics.plots.theme import PAGE, PICTURE, Theme, vega_config

__all__ = [
    "BRUSH",
    "CHANGED",
    "DURATIONS",
    "IMAGE_FORMATS",
    "LARGEST_PICTURE",
    "MOST_IN_PICTURE",
    "MOST_LANES",
    "MOST_PANELS",
    "PAGE",
    "PICTURE",
    "SCALE",
    "ZOOM",
    "Grid",
    "MetricPanels",
    "Panel",
    "Plot",
    "Theme",
    "anchor_bars",
    "bin_series",
    "chart_runtime",
    "draw_offline",
    "durations_chart",
    "group_label",
    "in_script",
    "label",
    "make_unique",
    "matrix",
    "metric_label",
    "metric_title",
    "panel_grid",
    "plot",
    "render_image",
    "select_panels",
    "series",
    "series_chart",
    "sessions_chart",
    "shorten_path",
    "timeline",
    "timeline_chart",
    "vega_config",
    "vega_lite_spec",
]
