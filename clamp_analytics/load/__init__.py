"""Sources to batches of the three tables, in parallel and in a fixed order."""

from clamp_analytics.load.telemetry import Counts, Reader, Telemetry, iter_batches, load

__all__ = ["Counts", "Reader", "Telemetry", "iter_batches", "load"]
