"""The names that the package exports."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import clamp_analytics as clamp
from tests.test_architecture import HEAVY

CLEAN = Path(__file__).parent.parent / "data" / "samples" / "clean"
FUNCTIONS = [
    *("load", "iter_batches", "summarize", "score", "validate", "drift", "compare", "reproducibility", "calibrate"),
    *("export", "ingest", "connect", "query", "report", "plot"),
]
POSITIONAL = {"compare": ["candidate"], "export": ["directory"], "ingest": ["archive"], "query": ["sql"]}
"""The arguments that may be positional besides the source."""

RECORDING = ["EntropyTelemetry", "ClampAnchor", "anchored", "AnchoredLock", "AnchoredRLock", "AnchoredAsyncLock"]


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", clamp.__all__)
def test_every_exported_name_exists(name):
    assert getattr(clamp, name) is not None


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'drifts'"):
        clamp.drifts  # noqa: B018


def test_the_names_are_listed_for_completion():
    assert set(FUNCTIONS + RECORDING) <= set(dir(clamp))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_a_signature_and_a_documented_argument(name):
    function = getattr(clamp, name)

    parameters = inspect.signature(function).parameters
    assert inspect.isfunction(function)
    assert all(parameter.annotation is not inspect.Parameter.empty for parameter in parameters.values())
    assert not {"args", "kwargs"} & set(parameters)
    assert function.__doc__


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_docstring_of_a_function_describes_each_argument_and_the_errors(name):
    function = getattr(clamp, name)
    _, _, arguments = inspect.getdoc(function).partition("\nArgs:\n")
    arguments, _, _ = arguments.partition("\n\n")

    described = re.findall(r"^    (\w+): ", arguments, re.MULTILINE)

    assert described == list(inspect.signature(function).parameters)
    assert "\nRaises:\n" in inspect.getdoc(function)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_required_arguments_are_positional(name):
    parameters = inspect.signature(getattr(clamp, name)).parameters.values()

    positional = [parameter.name for parameter in parameters if parameter.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert positional[1:] == POSITIONAL.get(name, [])


def test_help_shows_the_arguments_of_load():
    shown = run("import clamp_analytics as clamp; help(clamp.load)").stdout

    assert "load(sources: " in shown
    assert "columns: " in shown


@pytest.mark.parametrize("name", RECORDING)
def test_a_name_of_the_recorder_loads_no_engine(name):
    code = f"import sys, clamp_analytics as clamp; clamp.{name}; print([n for n in {HEAVY} if n in sys.modules])"

    done = run(code)

    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    "code",
    [
        "import clamp_analytics as c; print(c.load(p).counts); c.load(p)",
        "from clamp_analytics import load; print(load(p).counts)",
        "from clamp_analytics.reading import load; print(load(p).counts)",
        "import clamp_analytics.reading; from clamp_analytics import load; print(load(p).counts)",
    ],
)
def test_load_can_be_called_however_it_is_imported(code):
    done = run(f"p = {str(CLEAN)!r}\n{code}")

    assert (done.stdout, done.stderr) == ("10 seen = 10 loaded + 0 rejected + 0 skipped\n", "")
