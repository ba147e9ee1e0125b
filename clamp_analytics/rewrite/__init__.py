"""Session files made from session files: the text that stood there, changed only where it has to be."""

from clamp_analytics.rewrite.align import Aligned, align, align_files, instant
from clamp_analytics.rewrite.document import Rejected
from clamp_analytics.rewrite.merge import Merged, merge

__all__ = ["Aligned", "Merged", "Rejected", "align", "align_files", "instant", "merge"]
