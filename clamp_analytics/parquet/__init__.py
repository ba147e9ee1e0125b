"""Parquet out: the three tables as files that any tool opens, complete or absent."""

from clamp_analytics.parquet.options import ExportOptions
from clamp_analytics.parquet.run import export

__all__ = ["ExportOptions", "export"]
