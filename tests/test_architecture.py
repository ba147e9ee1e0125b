"""The import diagram of the design, as data, and what importing a module may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import clamp_analytics

HOME = Path(clamp_analytics.__file__).parent

LAYERS: list[set[str]] = [
    {"figures", "path_names", "rule_explanations", "wording"},
    {"errors"},
    {"schema", "atomic_files", "extras", "moments"},
    {"rules"},
    {"batch"},
    {"recorder", "sources", "decode"},
    {"reading", "outputs"},
    {"analysis"},
    {"parquet", "archive", "database", "rewrite", "trace"},
    {"render"},
    {"plots"},
    {"html_report"},
    {"api"},
    {"cli"},
    {"__main__"},
]
"""The modules from the lowest to the highest: imports go down only, and siblings do not import each other."""

FREE = {"__init__"}
"""The package itself exports names of every module."""

ENGINES = {"typer": {"cli"}, "duckdb": {"database", "archive", "reading"}, "deltalake": {"archive", "reading"}}
"""Engines, and the only modules that import them."""

LIGHT = [
    "clamp_analytics",
    "clamp_analytics.errors",
    "clamp_analytics.schema",
    "clamp_analytics.sources",
    "clamp_analytics.analysis.options",
]
HEAVY = ["polars", "pyarrow", "duckdb", "typer", "rich", "numpy", "scipy", "pandas", "altair"]

FILES = sorted(HOME.rglob("*.py"))


def module_of(path: Path) -> str:
    """The module or folder directly below the package that a file belongs to."""
    return path.relative_to(HOME).parts[0].removesuffix(".py")


def imports(tree: ast.AST, package: str) -> Iterator[tuple[str, int]]:
    """Every module that is imported, at the top or inside functions, but for types alone; with its line."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from imports(ast.Module([other], []), package)
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            # The names that are imported from the package itself are its modules.
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)
        else:
            yield from imports(node, package)


def imports_of(path: Path) -> list[tuple[str, int]]:
    relative = path.relative_to(HOME.parent).with_suffix("").parts
    return list(imports(ast.parse(path.read_text()), ".".join(relative[:-1])))


def within(name: str) -> str | None:
    """The module of this package that a dotted name is in; None for a name of another package."""
    parts = name.split(".")
    return parts[1] if parts[0] == "clamp_analytics" and len(parts) > 1 else None


def level(module: str) -> int:
    """The layer of a module; -1 for anything else, which is a name of the package itself."""
    return next((number for number, names in enumerate(LAYERS) if module in names), -1)


def test_every_module_is_in_the_diagram() -> None:
    known = set().union(*LAYERS) | FREE

    assert {module_of(path) for path in FILES} - known == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOME)))
def test_imports_go_down_only(path: Path) -> None:
    own = module_of(path)

    wrong = [
        f"line {line}: {own} imports {name}"
        for name, line in imports_of(path)
        if (other := within(name)) is not None and own not in FREE and other != own and level(other) >= level(own)
    ]

    assert wrong == []


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_is_imported_by_its_own_modules_only(engine: str) -> None:
    users = {module_of(path) for path in FILES for name, _ in imports_of(path) if name.split(".")[0] == engine}

    assert users - ENGINES[engine] == set()


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_loads_no_engine(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout, done.stderr) == ("\n", "")


def test_every_file_is_short_enough_to_be_read() -> None:
    long = {str(path.relative_to(HOME)): len(path.read_text().splitlines()) for path in FILES}

    assert {name: lines for name, lines in long.items() if lines > 400} == {}


def test_the_check_sees_imports_inside_functions_and_relative_ones() -> None:
    code = "def f():\n    from . import cli\n    import clamp_analytics.reading\nif TYPE_CHECKING:\n    import typer\n"

    found = [name for name, _ in imports(ast.parse(code), "clamp_analytics")]

    assert found == ["clamp_analytics.cli", "clamp_analytics.reading"]
    assert [within(name) for name in found] == ["cli", "reading"]
