"""Charts of series, durations, anchors and violations, by Altair. What is drawn is aggregated before it is drawn."""

from clamp_analytics.plots.charts import DURATIONS, durations, metric_title, over_time, timeline, violations
from clamp_analytics.plots.image import KINDS, overview, picture, require_charts, specification
from clamp_analytics.plots.names import distinct, end_of, group_name, shown
from clamp_analytics.plots.panels import CHANGED, MOST_PANELS, Panel, Shelf, binned, shelves
from clamp_analytics.plots.series_plot import Plot, plot
from clamp_analytics.plots.theme import PAGE, PICTURE, Look, config

__all__ = [
    "CHANGED",
    "DURATIONS",
    "KINDS",
    "MOST_PANELS",
    "PAGE",
    "PICTURE",
    "Look",
    "Panel",
    "Plot",
    "Shelf",
    "binned",
    "config",
    "distinct",
    "durations",
    "end_of",
    "group_name",
    "metric_title",
    "over_time",
    "overview",
    "picture",
    "plot",
    "require_charts",
    "shelves",
    "shown",
    "specification",
    "timeline",
    "violations",
]
