"""The modules that are mutated, and the tests that have to notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """Modules with the tests that cover them.

    Attributes:
        modules: paths of modules in the package.
        tests: paths of tests.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]


_DECODE = (
    "tests/decode/test_rules.py",
    "tests/decode/test_values.py",
    "tests/decode/test_timestamps.py",
    "tests/decode/test_violation_limit.py",
    "tests/decode/test_pieces.py",
    "tests/decode/test_column_faults.py",
    "tests/decode/test_good_files.py",
    "tests/decode/test_documents.py",
    "tests/decode/test_labels.py",
    "tests/decode/test_json_scanner.py",
    "tests/decode/test_typed.py",
    "tests/decode/test_fallback.py",
    "tests/decode/test_columns.py",
    "tests/decode/test_rows.py",
    "tests/decode/test_batch_builder.py",
    "tests/decode/test_validate.py",
)
_CONTAINERS = (
    "tests/sources/test_zip_salvage.py",
    "tests/sources/test_hostile_zips.py",
    "tests/sources/test_hostile_tars.py",
    "tests/sources/test_refused_members.py",
    "tests/sources/test_container_limits.py",
    "tests/sources/test_damaged_containers.py",
    "tests/sources/test_containers.py",
    "tests/sources/test_tars.py",
    "tests/sources/test_zip_directories.py",
    "tests/sources/test_zip_members.py",
)

TARGETS = {
    "decode": Target(
        tuple(
            f"clamp_analytics/decode/{name}.py"
            for name in (
                "batch_builder",
                "columns",
                "fallback",
                "json_scanner",
                "rows",
                "timestamps",
                "typed",
                "validate",
            )
        ),
        _DECODE,
    ),
    "rules": Target(("clamp_analytics/rules.py",), _DECODE),
    "moments": Target(("clamp_analytics/moments.py",), ("tests/test_moments.py",)),
    "stats": Target(
        tuple(
            f"clamp_analytics/analysis/stats/{name}.py"
            for name in (
                "arrays",
                "brunner_munzel",
                "change_points",
                "evidence",
                "mean_error",
                "multiplicity",
                "noise_model",
                "prediction_band",
                "ranks",
                "robust_scores",
                "step_scan",
                "trend_fit",
                "two_sample",
            )
        ),
        ("tests/analysis/stats", "tests/analysis/judgement/test_situations.py"),
    ),
    "containers": Target(
        tuple(f"clamp_analytics/sources/containers/{name}.py" for name in ("tars", "zip_salvage", "zips")),
        _CONTAINERS,
    ),
    "transactions": Target(
        tuple(f"clamp_analytics/archive/ingest/{name}.py" for name in ("reconcile", "transaction")),
        (
            "tests/archive/test_reconcile.py",
            "tests/archive/test_staged_files.py",
            "tests/archive/test_transaction.py",
            "tests/archive/test_ingest.py",
            "tests/archive/test_damaged_archives.py",
            "tests/archive/test_commands.py",
        ),
    ),
}
