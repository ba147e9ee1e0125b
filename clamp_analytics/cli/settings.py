r"""Options from ``pyproject.toml``: they override the defaults, and the command line overrides them.

Only the nearest ``pyproject.toml`` from the current folder upwards that has a table ``[tool.clamp-analytics]`` is
used. Its keys are the fields of the options dataclasses, each in the table of its analysis::

    [tool.clamp-analytics.drift]
    alpha = 0.01

    [tool.clamp-analytics.drift.floors]
    mean_stability = 0.02

The table itself has two keys: ``labels``, the rules for labels of sessions, as ``--label`` takes them, and ``cluster``,
the address of a Dask scheduler::

    [tool.clamp-analytics]
    labels = ['build=build-(\d+)']
    cluster = "tcp://scheduler:8786"

A key may be written with hyphens, as on the command line, or with underscores. A wrong key, type or value is an error
that names the file, the table and the key.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from clamp_analytics.errors import UsageError

FILE = "pyproject.toml"
TOOL = "clamp-analytics"

TABLES = ("drift", "compare", "seeds", "validate")
"""The tables; the keys of each are the fields of the dataclass of its options."""

LABELS = "labels"
"""The key of the rules for labels."""

CLUSTER = "cluster"
"""The key of the address of a Dask scheduler."""

KEYS = (LABELS, CLUSTER)
"""The keys of the table itself."""

CLUSTER_VARIABLE, DASK_VARIABLE = "CLAMP_CLUSTER", "DASK_SCHEDULER_ADDRESS"
"""The environment variables for the address: that of this tool, and that of Dask."""

Options = TypeVar("Options")


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one file.

    Attributes:
        file: the file; empty where there is none.
        tables: the content of ``[tool.clamp-analytics]``.
    """

    file: str = ""
    tables: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def location(self, *keys: str) -> str:
        """The location of a table or a key, for an error.

        Args:
            keys: the table's name, then the key, then the key within it.
        """
        table = ".".join(["tool", TOOL, *keys[:1]])
        key = ".".join(keys[1:])
        return f"{self.file} [{table}]" + (f" {key}" if key else "")


def read_settings(folder: Path | None = None) -> Settings:
    """Read the settings that apply in a folder.

    Args:
        folder: the folder; the current one by default.

    Raises:
        UsageError: a file in the folder or above it cannot be read, or has an unknown table.
    """
    start = (folder or Path.cwd()).absolute()
    for path in (above / FILE for above in (start, *start.parents)):
        settings = _read(path)
        if settings is not None:
            return settings
    return Settings()


def _read(path: Path) -> Settings | None:
    """The settings of a file; None where it does not exist or has no table of this tool."""
    from clamp_analytics.path_names import display_name

    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError.from_os_error("cannot be read", error, where=display_name(os.path.relpath(path))) from error
    # Most folders have no such file, and importing takes time.
    import tomllib

    name = display_name(os.path.relpath(path))
    try:
        document = tomllib.loads(content.decode())
    except ValueError as error:  # of TOML or of UTF-8
        raise UsageError(f"is not TOML: {error}", where=name) from error
    tools = document.get("tool")
    if not isinstance(tools, dict) or TOOL not in tools:
        return None
    settings = Settings(name, tools[TOOL])
    if not isinstance(settings.tables, dict):
        raise UsageError(f"must be a table, not {settings.tables!r}", where=settings.location())
    for table, content in settings.tables.items():
        if table in KEYS:
            continue
        if table not in TABLES:
            raise UsageError.unknown("table", table, [*TABLES, *KEYS], where=settings.location())
        if not isinstance(content, dict):
            raise UsageError(f"must be a table, not {content!r}", where=settings.location(table))
    return settings


def layer_labels(given: Sequence[str], settings: Settings | None = None) -> tuple[str, ...]:
    """The rules for labels: those of the command line, and those of the file for other names.

    Args:
        given: the rules from the command line.
        settings: the settings of the file; those of the current folder by default.

    Raises:
        UsageError: the file's value is not a list of rules.
    """
    settings = read_settings() if settings is None else settings
    if LABELS not in settings.tables:
        return tuple(given)
    from clamp_analytics.reading.labels import parse_label_rules

    where = f"{settings.location()} {LABELS}"
    rules = _convert(settings.tables[LABELS], list[str], where)
    try:
        parse_label_rules(rules)
    except UsageError as error:
        raise UsageError(_message(error), where=where, hint=error.hint) from error
    names = [_label_name(rule) for rule in given]
    return (*(rule for rule in rules if _label_name(rule) not in names), *given)


def cluster_address(given: str | None, settings: Settings | None = None) -> str:
    """The address of the Dask scheduler to use: the first that is set; empty for this machine.

    Args:
        given: the address from the command line.
        settings: the settings of the file; those of the current folder by default.

    Raises:
        UsageError: the file's value is not a text.
    """
    settings = read_settings() if settings is None else settings
    in_file = settings.tables.get(CLUSTER)
    if in_file is not None:
        in_file = _convert(in_file, str, f"{settings.location()} {CLUSTER}")
    addresses = (given, os.environ.get(CLUSTER_VARIABLE), in_file, os.environ.get(DASK_VARIABLE))
    return next((address for address in addresses if address is not None), "")


def _label_name(rule: str) -> str:
    return rule.partition("=")[0]


def layer_options(
    table: str, kind: type[Options], given: Mapping[str, Any], settings: Settings | None = None
) -> Options:
    """Build options from the defaults of the dataclass, then the file, then the command line.

    A mapping, such as the floors by metric, is merged by its keys.

    Args:
        table: the table of ``[tool.clamp-analytics]`` that holds these options.
        kind: the frozen dataclass of the options.
        given: fields by name from the command line; None for one that was not given.
        settings: the settings of the file; those of the current folder by default.

    Raises:
        UsageError: a key, type or value is wrong.
    """
    settings = read_settings() if settings is None else settings
    values = _read_table(settings, table, kind)
    for name, value in given.items():
        if value is None:
            continue
        below = values.get(name)
        values[name] = {**below, **value} if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return _build(kind, values)


def _build(kind: type[Options], values: Mapping[str, Any]) -> Options:
    """Build the options; a mapping keeps the defaults of the keys that are not set."""
    merged = dict(values)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        value = values.get(field.name)
        if isinstance(value, Mapping) and field.default_factory is not dataclasses.MISSING:
            merged[field.name] = {**field.default_factory(), **value}
    return kind(**merged)


def _read_table(settings: Settings, table: str, kind: type[Options]) -> dict[str, Any]:
    """The fields that the file sets, each converted to its type, and checked together."""
    types = get_type_hints(kind)
    fields = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    for key, value in settings.tables.get(table, {}).items():
        name = key.replace("-", "_")
        where = settings.location(table, key)
        if name not in fields:
            raise UsageError.unknown("key", key, fields, where=settings.location(table))
        if name in values:
            raise UsageError("the key is given twice, with a hyphen and with an underscore", where=where)
        values[name] = _convert(value, types[name], where)
        spelled[name] = key
    try:
        _build(kind, values)
    except UsageError as error:
        # The dataclass checks the values; only this function knows the keys in the file.
        keys = [spelled[name] for name, value in values.items() if not _is_valid(kind, name, value)]
        raise UsageError(_message(error), where=settings.location(table, *keys[:1]), hint=error.hint) from error
    return values


def _is_valid(kind: type[Options], name: str, value: Any) -> bool:
    """Whether one value is valid together with the defaults of the others."""
    try:
        _build(kind, {name: value})
    except UsageError:
        return False
    return True


def _message(error: UsageError) -> str:
    return f"{error.where}: {error.what}" if error.where else error.what


def _convert(value: Any, kind: Any, where: str) -> Any:
    import msgspec

    if isinstance(value, date) and not isinstance(value, datetime):
        # A day without a time is its beginning, as on the command line.
        value = datetime.combine(value, time(), UTC)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = str(error).partition(" - at `$")[0]
        raise UsageError(text[:1].lower() + text[1:].replace("`", ""), where=where) from error
