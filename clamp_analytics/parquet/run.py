"""``export``: write the batches of a reader as a folder of Parquet files."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from clamp_analytics import __version__
from clamp_analytics.errors import OutputError, UsageError
from clamp_analytics.parquet.options import ExportOptions
from clamp_analytics.parquet.partitions import PartitionBatch, Pieces
from clamp_analytics.parquet.target import WorkFolder, check_target, work_folder
from clamp_analytics.parquet.writer import Writer
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.export import FORMAT, VERSION, ExportedFile, Manifest
from clamp_analytics.reading.open_source import BatchReader
from clamp_analytics.sources import MANIFEST

DEFAULTS = ExportOptions()

_HINTS = {
    errno.ENOSPC: "free space there, or name a folder on another disk",
    errno.EDQUOT: "free space there, or name a folder on another disk",
    errno.EROFS: "name a folder on a disk that can be written to",
    errno.EACCES: "name a folder that you may write to",
    errno.EPERM: "name a folder that you may write to",
}


def export(reader: BatchReader, directory: str | os.PathLike[str], options: ExportOptions = DEFAULTS) -> Manifest:
    """Write everything that a reader reads into a folder of Parquet files.

    The folder holds ``sessions``, ``records`` and ``violations``, each a folder of Parquet files, and a manifest.
    It is complete or absent: an export that fails or is killed leaves the target unchanged.

    Args:
        reader: what to export; it must read all columns, and is used up.
        directory: the folder to create; missing parents are created, too.
        options: partitions, sizes and compression.

    Returns:
        The manifest that was written.

    Raises:
        OutputError: the target exists already, or cannot be written.
        UsageError: the reader does not read all columns.
        WorkerError: a worker process died.
    """
    target = Path(os.path.realpath(directory))
    with ExitStack() as stack:
        with _system_errors(target):
            check_target(target, overwrite=options.overwrite)
            folder = stack.enter_context(work_folder(target))
            # Checked again, because an export whose replacement was interrupted may have been restored meanwhile.
            check_target(target, overwrite=options.overwrite)
        files = _write(reader, folder, options)
        manifest = _manifest(reader, options, files)
        with _system_errors(target):
            _write_manifest(folder.new / MANIFEST, manifest)
            folder.publish(overwrite=options.overwrite)
    return manifest


def _write(reader: BatchReader, folder: WorkFolder, options: ExportOptions) -> list[ExportedFile]:
    writer = Writer(folder.new, options)
    batches = reader.fold(PartitionBatch(options.partitions))
    try:
        for pieces in batches:
            with _system_errors(folder.target):
                _add(writer, pieces)
        with _system_errors(folder.target):
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


def _write_manifest(path: Path, manifest: Manifest) -> None:
    with path.open("xb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _system_errors(target: Path) -> Iterator[None]:
    """Raise an ``OutputError`` for an error of the operating system."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "")
        raise OutputError.from_os_error(
            "the export could not be written", error, where=display_name(target), hint=hint
        ) from error
