"""Charts of series, durations and anchors, drawn by Altair. Data are aggregated before they are drawn."""

from clamp_analytics.plots.charts import (
    BRUSH,
    DURATIONS,
    ZOOM,
    durations,
    metric_title,
    series,
    sessions,
    timeline,
)
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
from clamp_analytics.plots.panels import CHANGED, MOST_PANELS, MetricPanels, Panel, bin_series, select_panels
from clamp_analytics.plots.series_plot import Plot, plot
from clamp_analytics.plots.theme import PAGE, PICTURE, Theme, vega_config

__all__ = [
    "BRUSH",
    "CHANGED",
    "DURATIONS",
    "IMAGE_FORMATS",
    "LARGEST_PICTURE",
    "MOST_IN_PICTURE",
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
    "bin_series",
    "durations",
    "group_label",
    "label",
    "make_unique",
    "metric_label",
    "metric_title",
    "panel_grid",
    "plot",
    "render_image",
    "select_panels",
    "series",
    "sessions",
    "shorten_path",
    "timeline",
    "vega_config",
    "vega_lite_spec",
]
