"""Find the session files of sources, in a fixed order, and read their bytes.

``listing`` finds the files, ``files`` reads one, and ``containers.contents`` reads the members of zips, tars and
compressed files; it is not imported here, because most sources are plain files. No engine is imported until a stream
needs it.
"""

from __future__ import annotations

from clamp_analytics.path_names import INSIDE
from clamp_analytics.sources.containers.limits import DEFAULT_LIMITS, ContainerLimits, MismatchError
from clamp_analytics.sources.containers.members import LazyMember, Member, Rejected, Skipped
from clamp_analytics.sources.files import STDIN, UnreadableError, read_bytes, size_of
from clamp_analytics.sources.listing import (
    Listing,
    check_no_source,
    has_database_mark,
    is_database,
    is_delta_archive,
    list_sources,
)
from clamp_analytics.sources.names import (
    COMPRESSED_ENDINGS,
    CONTAINER_ENDINGS,
    ENDING,
    MANIFEST,
    NOT_SESSIONS,
    format_of,
    is_container,
    split_member,
)

__all__ = [
    "COMPRESSED_ENDINGS",
    "CONTAINER_ENDINGS",
    "DEFAULT_LIMITS",
    "ENDING",
    "INSIDE",
    "MANIFEST",
    "NOT_SESSIONS",
    "STDIN",
    "ContainerLimits",
    "LazyMember",
    "Listing",
    "Member",
    "MismatchError",
    "Rejected",
    "Skipped",
    "UnreadableError",
    "check_no_source",
    "format_of",
    "has_database_mark",
    "is_container",
    "is_database",
    "is_delta_archive",
    "list_sources",
    "read_bytes",
    "size_of",
    "split_member",
]
