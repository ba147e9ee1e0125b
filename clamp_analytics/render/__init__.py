"""Frames to text: a table for a person, or JSON, CSV, Markdown and Parquet for whatever comes next.

Nothing is computed here. Text from telemetry is hostile until ``escape`` has made it harmless for where it goes.
"""

from clamp_analytics.render.frame import FORMATS, Format, as_csv, as_json, as_jsonl, as_markdown, as_parquet
from clamp_analytics.render.layout import table

__all__ = ["FORMATS", "Format", "as_csv", "as_json", "as_jsonl", "as_markdown", "as_parquet", "table"]
