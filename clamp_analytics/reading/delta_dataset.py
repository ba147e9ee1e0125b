"""The files of a Delta table as an Arrow dataset, which DuckDB reads; files that a query does not need are not opened.

deltalake has a function of its own for it, which cannot be used: a merge writes texts as ``string_view``, and Arrow
compares these only with other ``string_view``, so that a query with a condition on a text would fail.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clamp_analytics.errors import SourceError
from clamp_analytics.path_names import display_name
from clamp_analytics.sources.object_storage import is_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    import pyarrow.dataset
    import pyarrow.fs
    from deltalake import DeltaTable

PARTITION = "ingested_on"
"""The partition column: the day of the batch, in UTC."""

_BOUNDED = ("batch_row", "acquired_at", "first_acquired_at", "last_acquired_at")
"""Columns by whose smallest and largest value files are left out."""

_READABLE_FEATURES = frozenset({"timestampNtz"})


def delta_dataset(
    table: DeltaTable,
    location: str,
    storage_options: Mapping[str, str] | None,
    batches: tuple[str, str] | None = None,
) -> pyarrow.dataset.Dataset:
    """The files of a table.

    Args:
        table: the table.
        location: its folder or URL.
        storage_options: the options that it was opened with.
        batches: the first and last batch that is wanted; all by default. DuckDB gives Arrow no conditions on texts.

    Raises:
        SourceError: another program has written it in a way that this package does not read.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    features = set(table.protocol().reader_features or ()) - _READABLE_FEATURES
    if features:
        raise SourceError(
            f"the table uses features of Delta that are not read here: {', '.join(sorted(features))}",
            where=display_name(location),
            hint="rewrite it without them, in the program that wrote it",
        )
    schema = pa.schema(
        field.with_type(pa.string_view()) if pa.types.is_string(field.type) else field
        for field in pa.schema(table.schema())
    )
    files = pa.table(table.get_add_actions(flatten=True))
    files_system = _file_system(location, storage_options, dict(zip(*_paths_and_sizes(files), strict=True)))
    file_format = ds.ParquetFileFormat(default_fragment_scan_options=ds.ParquetFragmentScanOptions(pre_buffer=True))
    fragments = [
        file_format.make_fragment(row["path"], files_system, partition_expression=_bounds(row, schema))
        for row in files.to_pylist()
        if batches is None or _may_hold(row, *batches)
    ]
    return ds.FileSystemDataset(fragments, schema, file_format, files_system)


def _may_hold(row: Mapping[str, Any], first: str, last: str) -> bool:
    """Whether a file may hold rows of batches between two of them."""
    low, high = row.get("min.batch"), row.get("max.batch")
    return low is None or high is None or (low <= last and high >= first)


def _paths_and_sizes(files: pa.Table) -> tuple[list[str], list[int]]:
    return files["path"].to_pylist(), files["size_bytes"].to_pylist()


def _file_system(
    location: str, storage_options: Mapping[str, str] | None, sizes: dict[str, int]
) -> pyarrow.fs.FileSystem:
    import pyarrow.fs as fs

    if not is_url(location):
        return fs.SubTreeFileSystem(str(Path(location).absolute()), fs.LocalFileSystem())
    from deltalake.fs import DeltaStorageHandler

    return fs.PyFileSystem(DeltaStorageHandler(location, dict(storage_options or {}), sizes))


def _bounds(row: Mapping[str, Any], schema: pa.Schema) -> pyarrow.dataset.Expression | None:
    """What holds for every row of a file, as far as its statistics say."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    expressions = []
    if PARTITION in schema.names:
        expressions.append(ds.field(PARTITION) == pa.scalar(row[f"partition.{PARTITION}"], pa.date32()))
    for name in _BOUNDED:
        low, high = row.get(f"min.{name}"), row.get(f"max.{name}")
        if name not in schema.names or low is None or high is None:
            continue
        kind = schema.field(name).type
        if pa.types.is_timestamp(kind):
            # Delta cuts the bounds of times to milliseconds.
            low, high = low - timedelta(milliseconds=1), high + timedelta(milliseconds=1)
        column = ds.field(name)
        inside = (column >= pa.scalar(low, kind)) & (column <= pa.scalar(high, kind))
        expressions.append(inside | column.is_null() if row.get(f"null_count.{name}") != 0 else inside)
    if not expressions:
        return None
    whole = expressions[0]
    for each in expressions[1:]:
        whole &= each
    return whole
