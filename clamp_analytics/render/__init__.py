"""Frames as text: a table for a person, or JSON, CSV, Markdown and Parquet for other programs.

Nothing is computed here. Text from telemetry is untrusted until ``escape`` has made it harmless for its destination.
"""

from clamp_analytics.render.formats import FORMATS, Format, as_csv, as_json, as_jsonl, as_markdown, as_parquet
from clamp_analytics.render.table import table

__all__ = ["FORMATS", "Format", "as_csv", "as_json", "as_jsonl", "as_markdown", "as_parquet", "table"]
