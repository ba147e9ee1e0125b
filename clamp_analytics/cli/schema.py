"""``clamp-analytics schema``: the shape of session files and tables."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from clamp_analytics.cli.run import command, put


class SchemaFormat(StrEnum):
    """What is shown."""

    JSON = "json"
    DDL = "ddl"
    MARKDOWN = "markdown"


EXAMPLES = """\b
Examples:
  clamp-analytics schema > session.schema.json
  clamp-analytics schema --format ddl
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("schema", epilog=EXAMPLES)(schema)


@command
def schema(
    output_format: Annotated[
        SchemaFormat,
        typer.Option(
            "--format",
            "-f",
            help="json: JSON Schema (2020-12) of a session file; ddl: SQL of the tables; markdown: their columns.",
        ),
    ] = SchemaFormat.JSON,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="PATH", help="Where it goes. [default: standard output]")
    ] = None,
) -> None:
    """Show the schema of files and tables."""
    import json

    from clamp_analytics import schema as declared

    texts = {
        SchemaFormat.JSON: lambda: json.dumps(declared.json_schema(), indent=2) + "\n",
        SchemaFormat.DDL: declared.ddl,
        SchemaFormat.MARKDOWN: declared.markdown,
    }
    put(texts[output_format](), output)
