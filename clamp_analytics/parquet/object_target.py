"""Write an export into object storage: Parquet files under the hashes of their content, and then the manifest.

The manifest makes the folder an export. It is written last, and only if it is still absent or the one that is
replaced, so that one of several exports at once wins. Files that no manifest names are left by exports that failed or
were replaced; a later export to the same folder deletes those that are older than a day, which no running export needs.
"""

from __future__ import annotations

import re
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import msgspec

from clamp_analytics.errors import OutputError
from clamp_analytics.reading.export import ExportedFile, named_files
from clamp_analytics.schema import TABLES
from clamp_analytics.sources import MANIFEST
from clamp_analytics.sources.object_storage import ObjectStorage, Version

UPLOADS = 8
"""Files that are sent at once."""

PENDING_UPLOADS = 32
"""Files that wait on the local disk until they are sent."""

KEPT_FOR = timedelta(days=1)
"""The age from which files that no manifest names are deleted; a running export may be about to name younger ones."""

_PART = re.compile(rf"(?:{'|'.join(TABLES)})/(?:.*/)?[0-9a-f]{{64}}\.parquet")


class ObjectTarget:
    """The folder of one running export in object storage.

    Args:
        url: the folder, with a slash at the end.
        new: the local folder of files that are not sent yet.
        storage: the object storage.
        replaced: the version of the manifest that is replaced; None where there is none.
        threads: the threads that send files.
        kept_for: how long files are kept that no manifest names.
    """

    def __init__(
        self,
        url: str,
        new: Path,
        storage: ObjectStorage,
        replaced: Version | None,
        threads: ThreadPoolExecutor,
        kept_for: timedelta,
    ) -> None:
        self.url = url
        self.new = new
        self._storage = storage
        self._replaced = replaced
        self._threads = threads
        self._kept_for = kept_for
        self._pending: deque[Future[None]] = deque()
        self._names: set[str] = {MANIFEST}

    def add(self, file: ExportedFile) -> ExportedFile:
        """Send a complete file of the local folder, and return it with its name in the export.

        Raises:
            OutputError: the service refuses an earlier file.
        """
        path = str(PurePosixPath(file.path).with_name(f"{file.sha256}.parquet"))
        self._names.add(path)
        self._pending.append(self._threads.submit(self._send, self.new / file.path, path))
        if len(self._pending) > PENDING_UPLOADS:
            self._pending.popleft().result()
        return msgspec.structs.replace(file, path=path)

    def publish(self, manifest: bytes) -> None:
        """Write the manifest after all files.

        Raises:
            OutputError: the service refuses it, or another export was faster.
        """
        while self._pending:
            self._pending.popleft().result()
        if not self._storage.write_if(self.url + MANIFEST, manifest, self._replaced):
            raise OutputError(
                "another export was written there meanwhile, and is unchanged",
                where=self.url,
                hint="name another folder, or replace it with overwrite=True",
            )
        self._delete_old_files()

    def _send(self, file: Path, path: str) -> None:
        self._storage.write(self.url + path, file)
        file.unlink()

    def _delete_old_files(self) -> None:
        before = datetime.now(UTC) - self._kept_for
        old = [
            found.url
            for found in self._storage.list_objects(self.url)
            if (path := found.url.removeprefix(self.url)) not in self._names
            and _PART.fullmatch(path)
            and found.modified is not None
            and found.modified < before
        ]
        if old:
            self._storage.delete(old)


@contextmanager
def object_target(
    url: str, storage: ObjectStorage, *, overwrite: bool, kept_for: timedelta = KEPT_FOR
) -> Iterator[ObjectTarget]:
    """Open the folder of an export in object storage.

    Args:
        url: the folder.
        storage: the object storage.
        overwrite: whether to replace an existing export.
        kept_for: how long files are kept that no manifest names.

    Raises:
        OutputError: there is an export that is not replaced, or something else, or the service refuses.
        OSError: the local folder of the files cannot be created.
    """
    folder = url if url.endswith("/") else url + "/"
    replaced = _check_target(folder, storage, overwrite=overwrite)
    with tempfile.TemporaryDirectory(prefix="clamp-export-") as new, ThreadPoolExecutor(UPLOADS, "upload") as threads:
        try:
            yield ObjectTarget(folder, Path(new), storage, replaced, threads, kept_for)
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def _check_target(folder: str, storage: ObjectStorage, *, overwrite: bool) -> Version | None:
    """Check that a folder is empty or an export that may be replaced; return the version of its manifest, if any."""
    found = storage.read_version(folder + MANIFEST)
    if found is not None and not overwrite:
        raise OutputError(
            "an export exists already",
            where=folder,
            hint="name another folder, or replace it with overwrite=True",
        )
    ours = (named_files(found[0]) if found is not None else None) or set()
    for item in storage.list_objects(folder):
        path = item.url.removeprefix(folder)
        if path and path not in ours and not _PART.fullmatch(path):
            raise OutputError(
                "the folder holds something that is not part of an export, and is unchanged",
                where=item.url,
                hint="name a new or empty folder",
            )
    return found[1] if found is not None else None
