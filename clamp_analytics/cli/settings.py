"""Options from ``pyproject.toml``: the layer between the defaults of a dataclass and what the command line says.

The nearest ``pyproject.toml`` from the current folder upwards that has a table ``[tool.clamp-analytics]`` is used,
and no other. Its keys are the fields of the frozen options dataclasses, each in the table of its name::

    [tool.clamp-analytics.drift]
    alpha = 0.01

    [tool.clamp-analytics.drift.floors]
    mean_stability = 0.02

A key may be written with hyphens, as on the command line, or with underscores. No value is guessed or dropped: a
wrong key, type or value is an error that names the file, the table and the key.
"""

from __future__ import annotations

import ast
import dataclasses
import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import typer
from typer.core import TyperCommand, TyperOption

from clamp_analytics.errors import UsageError, did_you_mean

FILE = "pyproject.toml"
TOOL = "clamp-analytics"

TABLES: Mapping[str, tuple[str, str]] = {
    "drift": ("clamp_analytics.analysis.options", "DriftOptions"),
    "compare": ("clamp_analytics.analysis.options", "CompareOptions"),
    "seeds": ("clamp_analytics.analysis.options", "SeedOptions"),
}
"""The tables that there are, and where the dataclass is whose fields each one holds."""

Options = TypeVar("Options")


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What one file sets.

    Attributes:
        file: the file; empty where there is none.
        tables: what stands under ``[tool.clamp-analytics]``.
    """

    file: str = ""
    tables: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def place(self, *keys: str) -> str:
        """Where a table or a key stands, for an error.

        Args:
            keys: the table's name, then the key, then the key within it.
        """
        table = ".".join(["tool", TOOL, *keys[:1]])
        key = ".".join(keys[1:])
        return f"{self.file} [{table}]" + (f" {key}" if key else "")


def read_settings(folder: Path | None = None) -> Settings:
    """The settings that hold in a folder.

    Args:
        folder: where to look first; the current folder by default.

    Raises:
        UsageError: a file on the way up cannot be read, or the tables are not those there are.
    """
    start = (folder or Path.cwd()).absolute()
    for path in (above / FILE for above in (start, *start.parents)):
        settings = _read(path)
        if settings is not None:
            return settings
    return Settings()


def _read(path: Path) -> Settings | None:
    """What a file sets; None where it does not exist or says nothing of this tool."""
    from clamp_analytics.atomic_files import display_name

    name = display_name(os.path.relpath(path))
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"cannot be read: {(error.strerror or str(error)).lower()}", where=name) from error
    except ValueError as error:  # TOML and UTF-8 have their own kinds of it
        raise UsageError(f"is no TOML: {error}", where=name) from error
    tools = document.get("tool")
    if not isinstance(tools, dict) or TOOL not in tools:
        return None
    settings = Settings(name, tools[TOOL])
    if not isinstance(settings.tables, dict):
        raise UsageError(f"must be a table, not {settings.tables!r}", where=settings.place())
    for table, content in settings.tables.items():
        if table not in TABLES:
            hint = did_you_mean(table, TABLES, f"there are {', '.join(TABLES)}")
            raise UsageError(f"there is no table {table!r}", where=settings.place(), hint=hint)
        if not isinstance(content, dict):
            raise UsageError(f"must be a table, not {content!r}", where=settings.place(table))
    return settings


def layered(table: str, kind: type[Options], given: Mapping[str, Any], settings: Settings | None = None) -> Options:
    """Options from three layers: the dataclass's defaults, then the file, then the command line.

    A mapping, such as the floors by metric, is layered by its keys.

    Args:
        table: the table of ``[tool.clamp-analytics]`` that holds these options.
        kind: the frozen dataclass of the options.
        given: fields by name from the command line; None stands for one that was not given.
        settings: the file's; those of the current folder by default.

    Raises:
        UsageError: a key, type or value is wrong.
    """
    settings = read_settings() if settings is None else settings
    values = _checked(settings, table, kind)
    for name, value in given.items():
        if value is None:
            continue
        below = values.get(name)
        values[name] = {**below, **value} if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return _over_defaults(kind, values)


def _over_defaults(kind: type[Options], values: Mapping[str, Any]) -> Options:
    """The options; a mapping keeps the defaults of the keys that are not set."""
    merged = dict(values)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        value = values.get(field.name)
        if isinstance(value, Mapping) and field.default_factory is not dataclasses.MISSING:
            merged[field.name] = {**field.default_factory(), **value}
    return kind(**merged)


def _checked(settings: Settings, table: str, kind: type[Options]) -> dict[str, Any]:
    """The fields that the file sets, each converted to its type."""
    types = get_type_hints(kind)
    fields = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    for key, value in settings.tables.get(table, {}).items():
        name = key.replace("-", "_")
        place = settings.place(table, key)
        if name not in fields:
            hint = did_you_mean(name, fields, f"there are {', '.join(fields)}")
            raise UsageError(f"there is no key {key!r}", where=settings.place(table), hint=hint)
        if name in values:
            raise UsageError("the key is given twice, with a hyphen and with an underscore", where=place)
        values[name] = _typed(value, types[name], place)
        spelled[name] = key
    try:
        _over_defaults(kind, values)
    except UsageError as error:
        # The dataclass knows which values make sense, and only this place knows where they stand.
        keys = [spelled[name] for name, value in values.items() if not _alone(kind, name, value)]
        raise UsageError(_sentence(error), where=settings.place(table, *keys[:1]), hint=error.hint) from error
    return values


def _alone(kind: type[Options], name: str, value: Any) -> bool:
    """Whether one value makes sense with the defaults of the others."""
    try:
        _over_defaults(kind, {name: value})
    except UsageError:
        return False
    return True


def _sentence(error: UsageError) -> str:
    return f"{error.where}: {error.what}" if error.where else error.what


def _typed(value: Any, kind: Any, place: str) -> Any:
    import msgspec

    if isinstance(value, date) and not isinstance(value, datetime):
        # A bare day is its first moment, as on the command line.
        value = datetime.combine(value, time(), UTC)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = str(error).partition(" - at `$")[0]
        raise UsageError(text[:1].lower() + text[1:].replace("`", ""), where=place) from error


def defaults(table: str) -> dict[str, Any]:
    """The defaults that the dataclass of a table writes down, by field.

    They are read from its source text, because importing it loads engines and help must come at once.
    """
    module, name = TABLES[table]
    file = Path(__file__).parents[1].joinpath(*module.split(".")[1:])
    source = (file / "__init__.py" if file.is_dir() else file.with_suffix(".py")).read_text("utf-8")
    (body,) = (node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name)
    found = {}
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            with suppress(ValueError):  # what is no literal is made anew for every object
                found[node.target.id] = ast.literal_eval(node.value)
    return found


def with_defaults(table: str) -> type[TyperCommand]:
    """A kind of command whose help tells the defaults of a table's dataclass."""

    class WithDefaults(TyperCommand):
        def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]  # typer's own context is click's
            known = defaults(table)
            for option in self.params:
                default = known.get(option.name or "")
                if isinstance(option, TyperOption) and option.default is None and default is not None:
                    option.help = f"{option.help} [default: {default}]"
            return super().get_help(ctx)

    return WithDefaults
