"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from clamp_analytics.cli import make_app

PROGRAM = "clamp-analytics"


def overview() -> str:
    """A table of the commands, each with its first sentence."""
    rows = ["| command | what it does |", "|---|---|"]
    rows += [f"| `{name}` | {sentence(command)} |" for name, command in top_level().commands.items()]
    return "\n".join(rows) + "\n"


def details() -> str:
    """One section per command: usage, description, arguments, options and examples."""
    return "\n".join(line for name, command in walk(top_level(), "") for line in section(name, command)) + "\n"


def top_level() -> Any:
    """The command group of the whole program."""
    return typer.main.get_command(make_app())


def walk(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Every command below a group with its full name, each subgroup before its commands."""
    for name, command in group.commands.items():
        yield f"{prefix}{name}", command
        if hasattr(command, "commands"):
            yield from walk(command, f"{prefix}{name} ")


def sentence(command: Any) -> str:
    """The first sentence of a command's help."""
    first: str = command.help.splitlines()[0]
    return first


def section(name: str, command: Any) -> Iterator[str]:
    """The section of one command."""
    context = typer.Context(command, info_name=f"{PROGRAM} {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (f"{'##' if ' ' not in name else '###'} {name}", "", "```text", f"{PROGRAM} {name} {usage}", "```", "")
    yield from (escape(clean(command.help)), "")
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option"]
    if arguments:
        yield from table("argument", arguments, context)
    for panel in dict.fromkeys(option.rich_help_panel for option in options):
        if panel:
            yield from (f"{panel}:", "")
        yield from table("option", [option for option in options if option.rich_help_panel == panel], context)
    if command.epilog:
        examples = re.sub(r"^ {2}", "", clean(command.epilog).removeprefix("Examples:\n"), flags=re.MULTILINE)
        yield from ("```sh", examples.rstrip(), "```", "")


def table(kind: str, params: list[Any], context: Any) -> Iterator[str]:
    """The arguments or options of a command as a Markdown table."""
    records = [record for param in params if (record := param.get_help_record(context))]
    if not records:
        return
    yield from (f"| {kind} | meaning |", "|---|---|")
    for name, text in records:
        shown = name.replace("|", "\\|")
        yield f"| `{shown}` | {escape(' '.join(text.split()))} |"
    yield ""


def clean(text: str) -> str:
    """Help text without the marks that keep its line breaks on a terminal."""
    return text.replace("\b\n", "").strip()


def escape(text: str) -> str:
    """Text in which Markdown finds no markup."""
    return re.sub(r"([\\|*<\[\]_])", r"\\\1", text)
