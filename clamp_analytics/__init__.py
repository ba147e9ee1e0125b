"""Clamp telemetry: record it, read it, validate it, summarize it, and find out what changed.

    import clamp_analytics as clamp

    clamp.drift("build/telemetry")

Every name below is imported when it is first used, so that a service which only records loads no other package. The
first argument of every analysis is a *source*: paths or globs, telemetry that was loaded, or a DuckDB connection.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clamp_analytics.analysis.compare import Comparison, compare, compare_groups
    from clamp_analytics.analysis.drift import Calibration, Drift, calibrate, drift
    from clamp_analytics.analysis.judgement import SeriesJudgement, judge_series
    from clamp_analytics.analysis.options import CompareOptions, DriftOptions, JudgeOptions, SeedOptions
    from clamp_analytics.analysis.reproducibility import Reproducibility, reproducibility
    from clamp_analytics.analysis.scoring import Scores, score
    from clamp_analytics.analysis.series import METRICS, SessionValues, series, session_values
    from clamp_analytics.analysis.summary import Summary, artifact, summarize
    from clamp_analytics.analysis.validation import Validation, validate
    from clamp_analytics.api import Exported, export, ingest, query
    from clamp_analytics.archive.ingest.options import IngestOptions
    from clamp_analytics.archive.ingest.run import Ingested
    from clamp_analytics.batch import Batch
    from clamp_analytics.database import connect, named, run_query
    from clamp_analytics.errors import (
        AnchorError,
        ClampError,
        OutputError,
        QueryError,
        SourceError,
        UsageError,
        WorkerError,
    )
    from clamp_analytics.html_report import Report, ReportOptions, report
    from clamp_analytics.parquet import ExportOptions
    from clamp_analytics.plots import Plot, plot
    from clamp_analytics.reading import Counts, Reader, ReadingOptions, Telemetry, iter_batches, load
    from clamp_analytics.reading.open_source import Source
    from clamp_analytics.recorder import (
        AnchoredAsyncLock,
        AnchoredLock,
        AnchoredRLock,
        AnchorState,
        ClampAnchor,
        EntropyTelemetry,
        RecorderWarning,
        anchored,
        default_telemetry,
        set_default_telemetry,
    )
    from clamp_analytics.sources import ContainerLimits

__version__ = "0.2.0"

_NAMES = {
    "analysis.compare": ("Comparison", "compare", "compare_groups"),
    "analysis.drift": ("Calibration", "Drift", "calibrate", "drift"),
    "analysis.judgement": ("SeriesJudgement", "judge_series"),
    "analysis.options": ("CompareOptions", "DriftOptions", "JudgeOptions", "SeedOptions"),
    "analysis.reproducibility": ("Reproducibility", "reproducibility"),
    "analysis.scoring": ("Scores", "score"),
    "analysis.series": ("METRICS", "SessionValues", "series", "session_values"),
    "analysis.summary": ("Summary", "artifact", "summarize"),
    "analysis.validation": ("Validation", "validate"),
    "api": ("Exported", "export", "ingest", "query"),
    "archive.ingest.options": ("IngestOptions",),
    "archive.ingest.run": ("Ingested",),
    "batch": ("Batch",),
    "database": ("connect", "named", "run_query"),
    "errors": (
        "AnchorError",
        "ClampError",
        "OutputError",
        "QueryError",
        "SourceError",
        "UsageError",
        "WorkerError",
    ),
    "html_report": ("Report", "ReportOptions", "report"),
    "parquet": ("ExportOptions",),
    "plots": ("Plot", "plot"),
    "reading": ("Counts", "Reader", "ReadingOptions", "Telemetry", "iter_batches", "load"),
    "reading.open_source": ("Source",),
    "recorder": (
        "AnchorState",
        "AnchoredAsyncLock",
        "AnchoredLock",
        "AnchoredRLock",
        "ClampAnchor",
        "EntropyTelemetry",
        "RecorderWarning",
        "anchored",
        "default_telemetry",
        "set_default_telemetry",
    ),
    "sources": ("ContainerLimits",),
}
"""The public names by the module that defines them."""

_MODULES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "METRICS",
    "AnchorError",
    "AnchorState",
    "AnchoredAsyncLock",
    "AnchoredLock",
    "AnchoredRLock",
    "Batch",
    "Calibration",
    "ClampAnchor",
    "ClampError",
    "CompareOptions",
    "Comparison",
    "ContainerLimits",
    "Counts",
    "Drift",
    "DriftOptions",
    "EntropyTelemetry",
    "ExportOptions",
    "Exported",
    "IngestOptions",
    "Ingested",
    "JudgeOptions",
    "OutputError",
    "Plot",
    "QueryError",
    "Reader",
    "ReadingOptions",
    "RecorderWarning",
    "Report",
    "ReportOptions",
    "Reproducibility",
    "Scores",
    "SeedOptions",
    "SeriesJudgement",
    "SessionValues",
    "Source",
    "SourceError",
    "Summary",
    "Telemetry",
    "UsageError",
    "Validation",
    "WorkerError",
    "__version__",
    "anchored",
    "artifact",
    "calibrate",
    "compare",
    "compare_groups",
    "connect",
    "default_telemetry",
    "drift",
    "export",
    "ingest",
    "iter_batches",
    "judge_series",
    "load",
    "named",
    "plot",
    "query",
    "report",
    "reproducibility",
    "run_query",
    "score",
    "series",
    "session_values",
    "set_default_telemetry",
    "summarize",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name == "plots":
        return importlib.import_module(f"{__name__}.plots")
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
