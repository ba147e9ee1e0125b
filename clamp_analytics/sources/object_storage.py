"""Access to object storage: buckets on S3, Google Cloud Storage and Azure, through ``obstore``.

A URL is ``s3://bucket/key``, ``gs://bucket/key`` or ``az://container/key``; the key is the text behind the bucket,
as it is, without escapes. Objects are listed once and fetched with one GET each, and never with a HEAD. An object is
complete or absent at every moment, so that a put needs no temporary object.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from clamp_analytics.errors import OutputError, SourceError, UsageError
from clamp_analytics.extras import require_extras
from clamp_analytics.sources.files import UnreadableError
from clamp_analytics.sources.object_refusals import CREDENTIALS_HINT, hint_for, reason_of_refusal

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "s3a", "gs", "az", "abfs", "abfss")
_URL = re.compile(rf"({'|'.join(SCHEMES)})://")
LIST_CHUNK = 1000
"""Entries that one request lists; the services allow no more."""

_WRITE_ATTEMPTS = 3
"""Attempts at a conditional write; ``obstore`` repeats other requests itself."""

_MARK = "clampwriter"
"""The name of the mark in the metadata of an object; Azure allows no hyphen."""

_CLIENT_OPTIONS = frozenset(
    {
        *("allow_http", "allow_invalid_certificates", "connect_timeout", "proxy_ca_certificate", "proxy_excludes"),
        *("proxy_url", "read_timeout", "root_certificate", "timeout", "user_agent"),
    }
)
"""Options of the connection, which ``obstore`` takes apart from those of the service."""


class Object(NamedTuple):
    """An object as a listing describes it.

    Attributes:
        url: its URL.
        size: its size in bytes; None where the object was named and not listed.
        etag: the identifier of its content; None where the object was named or the service gives none.
        modified: the time of its last write; None where the object was named.
    """

    url: str
    size: int | None = None
    etag: str | None = None
    modified: datetime | None = None


class Version(NamedTuple):
    """The version of an object that a conditional write replaces; services use one or both values."""

    etag: str | None
    number: str | None

    def as_condition(self) -> dict[str, str]:
        """The condition for ``obstore``."""
        return {name: value for name, value in (("e_tag", self.etag), ("version", self.number)) if value is not None}


def is_url(source: str) -> bool:
    """Whether a source is a URL of object storage."""
    return _URL.match(source) is not None


def split_url(url: str) -> tuple[str, str]:
    """A URL as that of its bucket, without a slash at the end, and the key."""
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key


def check_bucket(url: str) -> None:
    """Check that a URL names a bucket.

    Raises:
        UsageError: it does not.
    """
    if split_url(url)[0].endswith("//"):
        raise UsageError("the URL names no bucket", where=url, hint="for example s3://bucket/folder/")


@dataclass
class ObjectStorage:
    """Access to buckets. A bucket is opened when it is first needed.

    Attributes:
        options: configuration of the service, as Polars takes it in ``storage_options``; what is not given comes from
            the environment, the profile, or the role of the machine.
    """

    options: Mapping[str, str] = field(default_factory=dict)
    _stores: dict[str, ObjectStore] = field(default_factory=dict, repr=False)

    def list_objects(self, folder: str, after: str = "") -> Iterator[Object]:
        """The objects below a folder, in the order of the service: that of their keys, but for some services.

        Args:
            folder: a URL that ends with a slash.
            after: only objects whose keys come after this one.

        Raises:
            SourceError: the service does not list it.
            UsageError: a package is missing, or an option is unknown.
        """
        bucket, prefix = split_url(folder)
        store = self._store(bucket)
        import obstore
        from obstore.exceptions import BaseError

        try:
            for chunk in obstore.list(store, prefix or None, offset=after or None, chunk_size=LIST_CHUNK):
                for found in chunk:
                    yield Object(f"{bucket}/{found['path']}", found["size"], found["e_tag"], found["last_modified"])
        except (BaseError, OSError) as error:
            reason = reason_of_refusal(error)
            raise SourceError(f"it cannot be listed: {reason}", where=folder, hint=hint_for(reason)) from error

    def read(self, found: Object) -> bytes:
        """The bytes of an object.

        Raises:
            UnreadableError: the service does not give it, or it is not the one that was listed.
            UsageError: a package is missing, or an option is unknown.
        """
        bucket, key = split_url(found.url)
        store = self._store(bucket)
        import obstore
        from obstore.exceptions import BaseError, PreconditionError

        try:
            answer = obstore.get(store, key, options={"if_match": found.etag} if found.etag else None)
            data = bytes(answer.bytes())
        except FileNotFoundError as error:
            raise UnreadableError("it vanished" if found.size is not None else "there is no such object") from error
        except PreconditionError as error:
            raise UnreadableError("it changed after it was listed") from error
        except (BaseError, OSError) as error:
            raise UnreadableError(reason_of_refusal(error)) from error
        if found.size not in (None, len(data)):
            raise UnreadableError("it is shorter or longer than the listing says")
        return data

    def read_head(self, url: str, size: int) -> bytes | None:
        """The first bytes of an object; None where there is no such object.

        Raises:
            OutputError: the service does not give them.
            UsageError: a package is missing, or an option is unknown.
        """
        bucket, key = split_url(url)
        store, head = self._store(bucket), bytearray()
        import obstore

        with _output_errors(url, "it cannot be read"), suppress(FileNotFoundError):
            for chunk in obstore.get(store, key).stream():
                head += bytes(chunk)
                if len(head) >= size:
                    break
            return bytes(head[:size])
        return None

    def read_version(self, url: str) -> tuple[bytes, Version] | None:
        """The bytes of an object and its version; None where there is no such object.

        Raises:
            OutputError: the service does not give it.
            UsageError: a package is missing, or an option is unknown.
        """
        bucket, key = split_url(url)
        store = self._store(bucket)
        import obstore

        with _output_errors(url, "it cannot be read"), suppress(FileNotFoundError):
            answer = obstore.get(store, key)
            return bytes(answer.bytes()), Version(answer.meta["e_tag"], answer.meta["version"])
        return None

    def write(self, url: str, content: bytes | Path) -> None:
        """Write an object, whether or not there is one.

        Args:
            url: the object.
            content: its bytes, which are sent with one request, or a file, which is sent in parts where it is large.

        Raises:
            OutputError: the service refuses it.
            UsageError: a package is missing, or an option is unknown.
        """
        bucket, key = split_url(url)
        store = self._store(bucket)
        import obstore

        with _output_errors(url):
            obstore.put(store, key, content, use_multipart=None if isinstance(content, Path) else False)

    def write_if(self, url: str, content: bytes, version: Version | None) -> bool:
        """Write an object only if it is absent, or still has the version that was read.

        Where an answer is lost, the repeated request finds the object that the first one wrote. Each object carries
        a random mark, by which its writer recognizes it.

        Args:
            url: the object.
            content: its bytes.
            version: the version to replace; None writes only where there is no object.

        Returns:
            Whether it was written; if not, another process was faster.

        Raises:
            OutputError: the service refuses it.
            UsageError: a package is missing, or an option is unknown.
        """
        bucket, key = split_url(url)
        store, mark = self._store(bucket), os.urandom(16).hex()
        import obstore
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        mode: Any = "create" if version is None else version.as_condition()
        for attempt in range(1, _WRITE_ATTEMPTS + 1):
            try:
                obstore.put(store, key, content, mode=mode, attributes={_MARK: mark})
            except (AlreadyExistsError, PreconditionError):
                return self._mark_of(url) == mark
            except (BaseError, OSError) as error:
                if self._mark_of(url) == mark:
                    break
                if attempt == _WRITE_ATTEMPTS:
                    raise _output_error(url, error) from error
            else:
                break
        return True

    def delete(self, urls: Sequence[str]) -> None:
        """Delete objects of one bucket.

        Raises:
            OutputError: the service refuses it.
        """
        bucket = split_url(urls[0])[0]
        store = self._store(bucket)
        import obstore

        with _output_errors(bucket, "old objects cannot be deleted"):
            obstore.delete(store, [split_url(url)[1] for url in urls])

    def _mark_of(self, url: str) -> str | None:
        """The mark of the writer of an object; None where there is none."""
        import obstore

        bucket, key = split_url(url)
        with _output_errors(url), suppress(FileNotFoundError):
            mark = obstore.get(self._store(bucket), key).attributes.get(_MARK)
            return None if mark is None else str(mark)
        return None

    def _store(self, bucket: str) -> ObjectStore:
        if bucket not in self._stores:
            self._stores[bucket] = _opened(bucket, self.options)
        return self._stores[bucket]


def _opened(bucket: str, options: Mapping[str, str]) -> ObjectStore:
    require_extras("cloud")
    check_bucket(bucket)
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    client: Any = {}
    config: Any = {}
    for name, value in options.items():
        bare = re.sub("^(aws|google|azure)_", "", name.lower())
        (client if bare in _CLIENT_OPTIONS else config)[bare if bare in _CLIENT_OPTIONS else name] = value
    try:
        provider = _aws_credentials(options) if bucket.startswith("s3") else None
        return from_url(bucket, config=config or None, client_options=client or None, credential_provider=provider)
    except (BaseError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"the bucket cannot be opened: {reason}", where=bucket, hint=CREDENTIALS_HINT) from error


def _aws_credentials(options: Mapping[str, str]) -> Any:
    """Credentials of a profile, a single sign-on or a role, which ``boto3`` finds; None where a key is given."""
    given = {name.lower().removeprefix("aws_") for name in options}
    if not given.isdisjoint(("access_key_id", "skip_signature")) or (
        "AWS_PROFILE" not in os.environ and ("AWS_ACCESS_KEY_ID" in os.environ)
    ):
        return None
    import boto3
    from botocore.exceptions import BotoCoreError
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        session = boto3.session.Session()
        return Boto3CredentialProvider(session) if session.get_credentials() is not None else None
    except BotoCoreError as error:
        raise UsageError(f"there are no credentials: {error}", where="AWS_PROFILE", hint=CREDENTIALS_HINT) from error


@contextmanager
def _output_errors(url: str, what: str = "it cannot be written") -> Iterator[None]:
    """Raise an ``OutputError`` for a refusal of the service."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        raise _output_error(url, error, what) from error


def _output_error(url: str, error: Exception, what: str = "it cannot be written") -> OutputError:
    reason = reason_of_refusal(error)
    return OutputError(f"{what}: {reason}", where=url, hint=hint_for(reason))
