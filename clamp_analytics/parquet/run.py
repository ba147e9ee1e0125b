"""The export itself: one pass of a reader into a folder of Parquet files."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from clamp_analytics import __version__
from clamp_analytics.atomic_files import display_name
from clamp_analytics.errors import OutputError, UsageError
from clamp_analytics.parquet.options import ExportOptions
from clamp_analytics.parquet.partitions import Cut, Pieces
from clamp_analytics.parquet.target import Workplace, check_target, workplace
from clamp_analytics.parquet.writer import Writer
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
    """Write all that a reader gives into a folder of Parquet files.

    The folder holds ``sessions``, ``records`` and ``violations``, each a folder of Parquet files, and a manifest.
    It is complete or absent: an export that fails or is killed leaves at the target what stood there before.

    Args:
        reader: what to export; it must give all columns, and is used up.
        directory: where the export will stand; its parents are made where they are missing.
        options: the layout and the bounds.

    Returns:
        The manifest that was written.

    Raises:
        OutputError: the target is taken, or cannot be written.
        UsageError: the reader leaves columns out.
        WorkerError: a worker process died.
    """
    target = Path(os.path.realpath(directory))
    with ExitStack() as stack:
        with _told(target):
            check_target(target, overwrite=options.overwrite)
            place = stack.enter_context(workplace(target))
            # An interrupted replacement that was put back counts as what stands there.
            check_target(target, overwrite=options.overwrite)
        files = _write(reader, place, options)
        manifest = _manifest(reader, options, files)
        with _told(target):
            _write_manifest(place.new / MANIFEST, manifest)
            place.publish(overwrite=options.overwrite)
    return manifest


def _write(reader: BatchReader, place: Workplace, options: ExportOptions) -> list[ExportedFile]:
    writer = Writer(place.new, options)
    batches = reader.fold(Cut(options.partitions))
    try:
        for pieces in batches:
            with _told(place.target):
                _add(writer, pieces)
        with _told(place.target):
            return writer.finish()
    finally:
        writer.abandon()
        if isinstance(batches, Generator):
            # Ends the workers now, not when the error that is under way is forgotten.
            batches.close()


def _add(writer: Writer, pieces: Pieces) -> None:
    if pieces.missing:
        raise UsageError(
            f"an export needs every column, and the reader leaves out {', '.join(pieces.missing)}",
            hint="make the reader without `columns`",
        )
    for piece in pieces.pieces:
        writer.add(piece)


def _manifest(reader: BatchReader, options: ExportOptions, files: list[ExportedFile]) -> Manifest:
    return Manifest(
        format=FORMAT,
        version=VERSION,
        package_version=__version__,
        source_directory=display_name(reader.directory),
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
def _told(target: Path) -> Iterator[None]:
    """Turn what the system refuses into an error that says so."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(
            f"the export could not be written: {reason}",
            where=str(target),
            hint=_HINTS.get(error.errno or 0, ""),
        ) from error
