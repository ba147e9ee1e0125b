"""``export``: write the batches of a reader as a folder of Parquet files."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import msgspec

from clamp_analytics import __version__
from clamp_analytics.errors import OutputError, UsageError
from clamp_analytics.parquet.object_target import ObjectTarget, object_target
from clamp_analytics.parquet.options import ExportOptions
from clamp_analytics.parquet.partitions import PartitionBatch, Pieces
from clamp_analytics.parquet.target import WorkFolder, work_folder
from clamp_analytics.parquet.writer import Writer
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.export import FORMAT, VERSION, ExportedFile, Manifest
from clamp_analytics.reading.open_source import BatchReader
from clamp_analytics.sources.object_storage import ObjectStorage, is_url

DEFAULTS = ExportOptions()

_HINTS = {
    errno.ENOSPC: "free space there, or name a folder on another disk",
    errno.EDQUOT: "free space there, or name a folder on another disk",
    errno.EROFS: "name a folder on a disk that can be written to",
    errno.EACCES: "name a folder that you may write to",
    errno.EPERM: "name a folder that you may write to",
}


def export(
    reader: BatchReader,
    directory: str | os.PathLike[str],
    options: ExportOptions = DEFAULTS,
    *,
    storage_options: Mapping[str, str] | None = None,
) -> Manifest:
    """Write everything that a reader reads into a folder of Parquet files.

    The folder holds ``sessions``, ``records`` and ``violations``, each a folder of Parquet files, and a manifest.
    It is complete or absent: an export that fails or is killed leaves the target unchanged.

    Args:
        reader: what to export; it must read all columns, and is used up.
        directory: the folder to create, or its URL in object storage; missing parents are created, too.
        options: partitions, sizes and compression.
        storage_options: configuration of the object storage; by default that of the environment.

    Returns:
        The manifest that was written.

    Raises:
        OutputError: the target exists already, or cannot be written.
        UsageError: the reader does not read all columns.
        WorkerError: a worker process died.
    """
    name = os.fspath(directory)
    where = name if is_url(name) else display_name(os.path.realpath(name))
    with ExitStack() as stack:
        with _system_errors(where):
            target = stack.enter_context(_open_target(name, options, storage_options or {}))
        files = _write(reader, Writer(target.new, options, target.add), options, where)
        manifest = _manifest(reader, options, files)
        with _system_errors(where):
            target.publish(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    return manifest


def _open_target(
    directory: str, options: ExportOptions, storage_options: Mapping[str, str]
) -> AbstractContextManager[ObjectTarget | WorkFolder]:
    if is_url(directory):
        return object_target(directory, ObjectStorage(storage_options), overwrite=options.overwrite)
    return work_folder(Path(os.path.realpath(directory)), overwrite=options.overwrite)


def _write(reader: BatchReader, writer: Writer, options: ExportOptions, where: str) -> list[ExportedFile]:
    batches = reader.fold(PartitionBatch(options.partitions))
    try:
        for pieces in batches:
            with _system_errors(where):
                _add(writer, pieces)
        with _system_errors(where):
            return writer.finish()
    finally:
        writer.abandon()
        if isinstance(batches, Generator):
            # Ends the workers now, and not when a pending exception is discarded.
            batches.close()


def _add(writer: Writer, pieces: Pieces) -> None:
    if pieces.missing:
        raise UsageError(
            f"an export needs every column, and the reader does not read {', '.join(pieces.missing)}",
            hint="create the reader without `columns`",
        )
    for piece in pieces.pieces:
        writer.add(piece)


def _manifest(reader: BatchReader, options: ExportOptions, files: list[ExportedFile]) -> Manifest:
    return Manifest(
        format=FORMAT,
        version=VERSION,
        package_version=__version__,
        source_directory=reader.directory,
        skipped=dict(sorted(reader.skipped.items())),
        partition_by=list(options.partitions),
        build_info=reader.build_info if options.build_info is None else options.build_info,
        files=files,
    )


@contextmanager
def _system_errors(where: str) -> Iterator[None]:
    """Raise an ``OutputError`` for an error of the operating system."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "")
        raise OutputError.from_os_error("the export could not be written", error, where=where, hint=hint) from error
