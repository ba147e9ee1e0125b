"""The modules that importing the recorder loads."""

import json

HEAVY = {"polars", "pyarrow", "duckdb", "typer", "numpy", "rich", "pandas", "msgspec"}
UNUSED = {"asyncio", "multiprocessing", "concurrent", "inspect", "logging", "socket", "subprocess", "hypothesis"}


def _loaded(python, script):
    done = python(f"{script}\nimport json, sys\nprint(json.dumps(list(sys.modules)))")
    assert done.stderr == ""
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_the_recorder_loads_nothing_heavy(python):
    loaded = _loaded(python, "from clamp_analytics.recorder import *")

    assert loaded & (HEAVY | UNUSED) == set()


def test_recording_and_writing_load_nothing_heavy(python):
    loaded = _loaded(
        python,
        "from clamp_analytics.recorder import *\n"
        "telemetry = EntropyTelemetry('out', checkpoint=1, write_on_exit=True, on_sigterm=True, max_records=5)\n"
        "with ClampAnchor('x', telemetry):\n"
        "    pass\n"
        "telemetry.write_json()\n"
        "telemetry.records()\n",
    )

    assert loaded & (HEAVY | UNUSED) == set()


def test_importing_the_package_loads_none_of_its_modules(python):
    done = python("""
        import sys
        import clamp_analytics.recorder
        print([name for name in sys.modules if name.startswith("clamp_analytics.recorder.")])
    """)

    assert done.stdout == "[]\n"


def test_a_name_that_does_not_exist_is_an_attribute_error(python):
    done = python("""
        import clamp_analytics.recorder as recorder
        print(sorted(recorder.__all__) == dir(recorder), hasattr(recorder, "nonsense"))
    """)

    assert done.stdout == "True False\n"
