"""The DuckDB archive: telemetry that is ingested once, kept, and read by every command."""

from clamp_analytics.archive.checks import check
from clamp_analytics.archive.compaction import Compacted, compact
from clamp_analytics.archive.forgetting import Forget, forget
from clamp_analytics.archive.layout import View
from clamp_analytics.archive.overview import Info, info
from clamp_analytics.archive.run import DEFAULTS, Ingested, IngestOptions, ingest
from clamp_analytics.archive.upgrades import Upgraded, upgrade
from clamp_analytics.archive.watching import Events, follow

__all__ = [
    "DEFAULTS",
    "Compacted",
    "Events",
    "Forget",
    "Info",
    "IngestOptions",
    "Ingested",
    "Upgraded",
    "View",
    "check",
    "compact",
    "follow",
    "forget",
    "info",
    "ingest",
    "upgrade",
]
