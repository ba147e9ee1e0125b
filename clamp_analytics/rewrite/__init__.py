"""Rewrite session files: align their timestamps, or merge them, and keep all other text as it is."""

from clamp_analytics.rewrite.align import AlignResult, align_files, align_records, parse_timestamp
from clamp_analytics.rewrite.document import RejectedFile
from clamp_analytics.rewrite.merge import MergeResult, merge

__all__ = ["AlignResult", "MergeResult", "RejectedFile", "align_files", "align_records", "merge", "parse_timestamp"]
