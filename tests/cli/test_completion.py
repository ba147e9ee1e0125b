"""What the shell completes, as Typer's script for bash asks for it."""

import pytest


@pytest.mark.parametrize(
    "line, names",
    [
        ("validate --ignore seed-", {"seed-range", "seed-zero", "seed-reused"}),
        ("drift --metric duration_p9", {"duration_p95_ms", "duration_p99_ms"}),
        ("drift --by con", {"context"}),
        ("drift --by w", set()),
        ("drift --floor mean", {"mean_stability="}),
        ("compare --across back", {"backend"}),
        ("summarize --by we", {"week"}),
        ("summarize --by d", {"day", "device_name"}),
        ("sql runs --name longest", {"longest_locks"}),
    ],
)
def test_names_are_completed(clamp, line, names):
    words = f"clamp-analytics {line}"
    asked = {
        "_CLAMP_ANALYTICS_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }

    assert set(clamp(env=asked).out.split()) == names
