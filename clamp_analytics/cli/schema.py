"""``clamp-analytics schema``: the schema of session files and of the tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from clamp_analytics.cli.command import add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.options import OutputOptions, format_option
from clamp_analytics.cli.output import kind_of_beginning, kind_of_document, write_result


class SchemaFormat(StrEnum):
    """Forms of the schema."""

    JSON = "json"
    DDL = "ddl"
    MARKDOWN = "markdown"


EXAMPLES = """
clamp-analytics schema > session.schema.json
clamp-analytics schema --format ddl
"""

KIND = "a schema"


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "schema", SchemaCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class SchemaCommand(OutputOptions):
    """Show the schema of session files or of the tables."""

    output_format: Annotated[
        SchemaFormat,
        format_option(
            "json: JSON Schema (2020-12) of a session file; ddl: the tables in SQL; markdown: their columns."
        ),
    ] = SchemaFormat.JSON

    def run(self) -> ExitCode:
        """Write the schema."""
        from clamp_analytics.schema import ddl, json_schema, markdown

        if self.output_format is SchemaFormat.JSON:
            document = json_schema()
            text, kind = json.dumps(document, indent=2) + "\n", kind_of_document(KIND, document)
        else:
            text = ddl() if self.output_format is SchemaFormat.DDL else markdown()
            kind = kind_of_beginning(KIND, text.partition("\n")[0])
        write_result(text, self.output, kind, force=self.force)
        return ExitCode.FINE
