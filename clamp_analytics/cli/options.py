"""Options that several commands share: groups are base classes of the commands, single options are types.

Typer evaluates annotations that are text in the module of the command, and inherited fields would fail there.
Therefore this module does not postpone the evaluation of its annotations.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypedDict

import typer

from clamp_analytics.cli.command import CONTAINERS_PANEL, OUTPUT_PANEL, SOURCES_PANEL, Command
from clamp_analytics.reading.options import DEFAULT_OPTIONS
from clamp_analytics.sources import DEFAULT_LIMITS, ContainerLimits

STDOUT = "-"
"""The value of an option that stands for standard output."""

SOURCE_HELP = (
    "Session files, folders, quoted globs, zip and tar files, or one member of them (artifact.zip!/x.json), "
    ".json.gz, .json.zst, exports and archives of this tool, a URL such as s3://bucket/folder/, or - for a session "
    "on standard input."
)


class Format(StrEnum):
    """Formats of a table of figures."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


class FailOn(StrEnum):
    """The least severity of violations with which a command fails."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NEVER = "never"


def output_option(sentence: str, metavar: str = "PATH") -> Any:
    """The option ``--output`` of a command.

    Args:
        sentence: what is written there.
        metavar: FILE, DIR or PATH.
    """
    return typer.Option("--output", "-o", metavar=metavar, help=sentence, rich_help_panel=OUTPUT_PANEL)


def format_option(sentence: str = "Format of the output. [default: by the name in --output, else table]") -> Any:
    """The option ``--format`` of a command; ``output_format.choose_format`` chooses where it is not given."""
    return typer.Option("--format", "-f", help=sentence, rich_help_panel=OUTPUT_PANEL)


Sources = Annotated[list[str], typer.Argument(metavar="SOURCE...", help=SOURCE_HELP, show_default=False)]
Limit = Annotated[
    int,
    typer.Option("--limit", min=0, metavar="N", help="Most rows of a table; 0 for all.", rich_help_panel=OUTPUT_PANEL),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Replace an existing file even if this command did not write it. Sessions, archives and exports are "
        "never replaced.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
FailOnSeverity = Annotated[
    FailOn, typer.Option("--fail-on", help="End with exit code 1 if there are violations of this severity or worse.")
]
Snapshot = Annotated[
    Path | None,
    typer.Option(
        "--snapshot",
        help="JSON file with the provenance of the build. [default: rocm_snapshot.json beside the folder, if it "
        "exists]",
        metavar="FILE",
        show_default=False,
    ),
]


class ContainerSettings(TypedDict):
    """The arguments of a reader that are about containers."""

    limits: ContainerLimits
    salvage: bool


def _limit_option(sentence: str) -> Any:
    return typer.Option(min=1, metavar="N", help=sentence, rich_help_panel=CONTAINERS_PANEL)


@dataclass(frozen=True, kw_only=True)
class ContainerOptions(Command):
    """How much is unpacked from zip and tar files and from compressed files."""

    max_member_bytes: Annotated[int, _limit_option("Bytes of the largest file that is unpacked.")] = (
        DEFAULT_LIMITS.max_member_bytes
    )
    max_total_bytes: Annotated[int, _limit_option("Bytes that one zip or tar file may unpack to.")] = (
        DEFAULT_LIMITS.max_total_bytes
    )
    max_ratio: Annotated[
        int,
        _limit_option(
            f"Times its own size that it may unpack to; from {DEFAULT_LIMITS.ratio_from_bytes // 1_000_000} MB on."
        ),
    ] = DEFAULT_LIMITS.max_ratio
    max_members: Annotated[int, _limit_option("Entries that one zip or tar file may have.")] = (
        DEFAULT_LIMITS.max_members
    )
    salvage: Annotated[
        bool,
        typer.Option(
            "--salvage",
            help="Read the intact members of a truncated or damaged zip or tar file.",
            rich_help_panel=CONTAINERS_PANEL,
        ),
    ] = False

    def container_settings(self) -> ContainerSettings:
        """The options as arguments of a reader."""
        limits = ContainerLimits(
            max_member_bytes=self.max_member_bytes,
            max_total_bytes=self.max_total_bytes,
            max_ratio=self.max_ratio,
            max_members=self.max_members,
        )
        return {"limits": limits, "salvage": self.salvage}


@dataclass(frozen=True, kw_only=True)
class ObjectStorageOptions(Command):
    """How sources in object storage are read."""

    concurrency: Annotated[
        int,
        typer.Option(
            "--concurrency",
            min=1,
            max=1024,
            metavar="N",
            help="Objects that are fetched from object storage at once.",
            rich_help_panel=SOURCES_PANEL,
        ),
    ] = DEFAULT_OPTIONS.concurrency


@dataclass(frozen=True, kw_only=True)
class ListingOptions(ContainerOptions):
    """How the sources are searched for files."""

    no_recursive: Annotated[
        bool, typer.Option("--no-recursive", help="Do not search subfolders.", rich_help_panel=SOURCES_PANEL)
    ] = False


@dataclass(frozen=True, kw_only=True)
class ReadingOptions(ListingOptions):
    """How the sources are read."""

    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            metavar="N",
            help="Workers that read in parallel. [default: one per usable core]",
            rich_help_panel=SOURCES_PANEL,
        ),
    ] = None
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            metavar="NAME=RULE",
            help="Label of each session: a regular expression on its path with one group, @extra.FIELD for an unknown "
            "field of the file, or a text. Can be repeated.",
            show_default=False,
            rich_help_panel=SOURCES_PANEL,
        ),
    ] = None

    def label_rules(self) -> tuple[str, ...]:
        """The rules for labels from the command line and from ``pyproject.toml``."""
        from clamp_analytics.cli.settings import layer_labels

        return layer_labels(self.label or ())


@dataclass(frozen=True, kw_only=True)
class ClusterOptions(Command):
    """Where the sources are read."""

    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="ADDRESS",
            help="Read on the workers of a Dask cluster with this scheduler, such as tcp://scheduler:8786; an empty "
            "text means this machine. [default: $CLAMP_CLUSTER, else cluster in pyproject.toml, else "
            "$DASK_SCHEDULER_ADDRESS, else this machine]",
            show_default=False,
            rich_help_panel=SOURCES_PANEL,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class AnalysisSourceOptions(ObjectStorageOptions, ReadingOptions, ClusterOptions):
    """How the sources of an analysis are read."""

    unique: Annotated[
        bool,
        typer.Option(
            "--unique",
            help="Read sessions with the same bytes once: skip the second and later ones.",
            rich_help_panel=SOURCES_PANEL,
        ),
    ] = False


@dataclass(frozen=True, kw_only=True)
class OutputOptions(Command):
    """Where the result goes."""

    output: Annotated[
        str | None, output_option("Write the result to this file. [default: standard output]", "FILE")
    ] = None
    force: Force = False
