"""Object storage as a source: buckets on S3, Google Cloud Storage and Azure, through ``obstore``.

A URL is ``s3://bucket/key``, ``gs://bucket/key`` or ``az://container/key``; the key is the text behind the bucket,
as it is, without escapes. Objects are listed once and fetched with one GET each, and never with a HEAD.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.extras import require_extras
from clamp_analytics.sources.files import UnreadableError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "s3a", "gs", "az", "abfs", "abfss")
_URL = re.compile(rf"({'|'.join(SCHEMES)})://")
_MAGIC = re.compile(r"[*?\[]")
_LIST_CHUNK = 1000
"""Entries that one request lists; the services allow no more."""

_CLIENT_OPTIONS = frozenset(
    {
        *("allow_http", "allow_invalid_certificates", "connect_timeout", "proxy_ca_certificate", "proxy_excludes"),
        *("proxy_url", "read_timeout", "root_certificate", "timeout", "user_agent"),
    }
)
"""Options of the connection, which ``obstore`` takes apart from those of the service."""

_REASONS = {
    "NoSuchBucket": "there is no such bucket",
    "ContainerNotFound": "there is no such container",
    "AccessDenied": "access is denied",
    "AuthorizationPermissionMismatch": "access is denied",
    "InvalidAccessKeyId": "the access key is unknown",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "ExpiredToken": "the credentials have expired",
    "PermanentRedirect": "the bucket is in another region",
    "AuthorizationHeaderMalformed": "the bucket is in another region",
    "SlowDown": "the service refuses so many requests",
}
"""Sentences for the codes of errors. The answers of the services are not shown, because they may hold credentials."""

_BY_STATUS = {"301": "the bucket is in another region", "403": "access is denied", "404": "there is no such bucket"}
_CREDENTIALS = "set the credentials that the service's own tools use, such as AWS_PROFILE or AWS_ACCESS_KEY_ID"
_HINTS = {
    "there is no such bucket": "check the name of the bucket, and the endpoint (AWS_ENDPOINT_URL)",
    "there is no such container": "check the name of the container, and AZURE_STORAGE_ACCOUNT_NAME",
    "the bucket is in another region": "set AWS_REGION to the region of the bucket",
    "the service refuses so many requests": "lower --concurrency",
}


class Object(NamedTuple):
    """An object as a listing describes it.

    Attributes:
        url: its URL.
        size: its size in bytes; None where the object was named and not listed.
        etag: the identifier of its content; None where the object was named or the service gives none.
    """

    url: str
    size: int | None = None
    etag: str | None = None


def is_url(source: str) -> bool:
    """Whether a source is a URL of object storage."""
    return _URL.match(source) is not None


def has_magic(url: str) -> bool:
    """Whether the key of a URL is a pattern."""
    return _MAGIC.search(split_url(url)[1]) is not None


def split_url(url: str) -> tuple[str, str]:
    """A URL as that of its bucket, without a slash at the end, and the key."""
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key


def fixed_prefix(url: str) -> str:
    """The folder of a URL with a pattern: what comes before the first part with a wildcard, with a slash."""
    bucket, key = split_url(url)
    match = _MAGIC.search(key)
    fixed = key[: match.start()] if match else key
    return f"{bucket}/{fixed[: fixed.rfind('/') + 1]}"


def common_folder(urls: Iterable[str]) -> str:
    """The folder that the objects, folders or patterns of some URLs have in common; empty where there is none."""
    folders = [fixed_prefix(url).split("/") for url in urls]
    common = [
        parts[0] for parts in itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    ]
    return "/".join(common).removesuffix("/") if len(common) > len(["s3:", "", "bucket"]) - 1 else ""


def pattern_of(url: str) -> re.Pattern[str]:
    """The expression of a URL with a pattern: what it matches, and everything in the folders that it matches.

    As in a shell, ``*`` and ``?`` match within one part of a key and no leading dot; ``**`` matches any
    number of parts.
    """
    *folders, last = url.rstrip("/").split("/")
    expressions = [r"(?:(?!\.)[^/]+/)*" if part == "**" else _part_expression(part) + "/" for part in folders]
    return re.compile("".join([*expressions, _part_expression(last), "(?:/.*)?"]), re.DOTALL)


def _part_expression(part: str) -> str:
    hidden = r"(?!\.)" if part[:1] in ("*", "?", "[") else ""
    return hidden + "".join(map(_translated, re.findall(r"\[!?\]?[^\]]*\]|.", part, re.DOTALL)))


def _translated(token: str) -> str:
    """One token of a pattern as an expression."""
    if token == "*":
        return "[^/]*"
    if token == "?":
        return "[^/]"
    if token[0] == "[" and len(token) > 2:
        inside = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        return f"[{'^' + inside[1:] if inside[0] == '!' else inside}]"
    return re.escape(token)


@dataclass
class ObjectStorage:
    """Access to buckets. A bucket is opened when it is first needed.

    Attributes:
        options: configuration of the service, as Polars takes it in ``storage_options``; what is not given comes from
            the environment, the profile, or the role of the machine.
    """

    options: Mapping[str, str] = field(default_factory=dict)
    _stores: dict[str, ObjectStore] = field(default_factory=dict, repr=False)

    def list_objects(self, folder: str) -> Iterator[Object]:
        """The objects below a folder, in no particular order.

        Args:
            folder: a URL that ends with a slash.

        Raises:
            SourceError: the service does not list it.
            UsageError: a package is missing, or an option is unknown.
        """
        import obstore
        from obstore.exceptions import BaseError

        bucket, prefix = split_url(folder)
        try:
            for chunk in obstore.list(self._store(bucket), prefix or None, chunk_size=_LIST_CHUNK):
                for found in chunk:
                    yield Object(f"{bucket}/{found['path']}", found["size"], found["e_tag"])
        except (BaseError, OSError) as error:
            raise _source_error(folder, error) from error

    def read(self, found: Object) -> bytes:
        """The bytes of an object.

        Raises:
            UnreadableError: the service does not give it, or it is not the one that was listed.
            UsageError: a package is missing, or an option is unknown.
        """
        import obstore
        from obstore.exceptions import BaseError, PreconditionError

        bucket, key = split_url(found.url)
        try:
            answer = obstore.get(self._store(bucket), key, options={"if_match": found.etag} if found.etag else None)
            data = bytes(answer.bytes())
        except FileNotFoundError as error:
            raise UnreadableError("it vanished" if found.size is not None else "there is no such object") from error
        except PreconditionError as error:
            raise UnreadableError("it changed after it was listed") from error
        except (BaseError, OSError) as error:
            raise UnreadableError(_reason(error)) from error
        if found.size not in (None, len(data)):
            raise UnreadableError("it is shorter or longer than the listing says")
        return data

    def _store(self, bucket: str) -> ObjectStore:
        if bucket not in self._stores:
            self._stores[bucket] = _opened(bucket, self.options)
        return self._stores[bucket]


def _opened(bucket: str, options: Mapping[str, str]) -> ObjectStore:
    require_extras("cloud")
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
        raise UsageError(f"the bucket cannot be opened: {reason}", where=bucket, hint=_CREDENTIALS) from error


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
        raise UsageError(f"there are no credentials: {error}", where="AWS_PROFILE", hint=_CREDENTIALS) from error


def _source_error(url: str, error: Exception) -> SourceError:
    reason = _reason(error)
    return SourceError(f"it cannot be listed: {reason}", where=url, hint=_HINTS.get(reason, _CREDENTIALS))


def _reason(error: Exception) -> str:
    """Why a service refused, without its answer."""
    text = str(error)
    code = re.search(r"<Code>(\w+)</Code>", text)
    status = re.search(r"status code: (\d+)", text)
    if code and code[1] in _REASONS:
        return _REASONS[code[1]]
    if status:
        return _BY_STATUS.get(status[1], f"the service answers with status {status[1]}")
    if "error sending request" in text:
        return "the service cannot be reached"
    return "the connection broke"
