"""``ExportOptions``: partitions, sizes and compression of an export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clamp_analytics.errors import UsageError, did_you_mean

DAY = "day"
"""The UTC day of ``acquired_at``."""

NONE = "none"
"""Records in one folder, not partitioned."""

PARTITION_COLUMNS = ("context", "thread_id", "backend", "device_name", "source")
"""Columns of ``records`` that may partition them."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Partitions, sizes and compression of an export.

    Attributes:
        partition_by: the partitions of the records: ``day``, ``none``, or one or more of ``context``,
            ``thread_id``, ``backend``, ``device_name``, ``source`` and ``day``, separated by commas or as a sequence.
        overwrite: whether to replace an existing export.
        build_info: JSON text of the provenance snapshot; None copies that of an export or archive that is read.
        compression_level: the level of zstd, 1 to 22.
        rows_per_file: the most rows of one Parquet file.
        row_group_rows: the most rows of one row group, which engines read at once.
        buffer_bytes: the most memory for rows of row groups that are not full yet.

    Raises:
        UsageError: a partition is unknown or named twice, or a bound is out of its range.
    """

    partition_by: str | Sequence[str] = DAY
    overwrite: bool = False
    build_info: str | None = None
    compression_level: int = 3
    rows_per_file: int = 2_000_000
    row_group_rows: int = 122_880
    buffer_bytes: int = 64_000_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "partition_by", _partitions(self.partition_by))
        bounds = {"compression_level": 22, "rows_per_file": None, "row_group_rows": None, "buffer_bytes": None}
        for name, most in bounds.items():
            value = getattr(self, name)
            if value < 1 or (most is not None and value > most):
                span = f"from 1 to {most}" if most else "at least 1"
                raise UsageError(f"it must be {span}", where=f"{name} {value}")

    @property
    def partitions(self) -> tuple[str, ...]:
        """The names that the records are partitioned by, outermost folder first; empty for ``none``."""
        return tuple(self.partition_by)


def _partitions(wanted: str | Sequence[str]) -> tuple[str, ...]:
    names = [name.strip() for name in (wanted.split(",") if isinstance(wanted, str) else wanted)]
    if not names or names == [NONE]:
        return ()
    known = (*PARTITION_COLUMNS, DAY)
    for name in names:
        if name not in known:
            raise UsageError(
                f"records cannot be partitioned by {name!r}" + (" and more" if name == NONE else ""),
                where="partition_by",
                hint=did_you_mean(name, known, f"one or more of {', '.join(known)}, or {NONE} alone"),
            )
    if len(set(names)) < len(names):
        raise UsageError("a partition is named twice", where=f"partition_by {','.join(names)}")
    return tuple(names)
