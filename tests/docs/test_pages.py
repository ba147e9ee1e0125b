"""The pages show what is true: their examples run, and their generated parts, links and paths are up to date."""

import re

import examples
import generate
import pytest

import clamp_analytics
from tests.test_architecture import LAYERS

ROOT = generate.ROOT
PAGES = [path.relative_to(ROOT) for path in generate.pages()]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_examples_of_a_page_run_and_print_what_it_shows(page, tmp_path):
    text = (ROOT / page).read_text("utf-8")

    shown = examples.run(text, tmp_path)

    assert shown == text, "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_generated_parts_of_a_page_are_up_to_date(page):
    text = (ROOT / page).read_text("utf-8")

    generated = generate.with_generated_parts(text)

    assert generated == text, "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_of_a_page_lead_to_files(page):
    links = re.findall(r"\]\(([^)#:]+)[^):]*\)", (ROOT / page).read_text("utf-8"))

    missing = [link for link in links if not (ROOT / page.parent / link).exists()]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_paths_that_a_page_names_exist(page):
    text = (ROOT / page).read_text("utf-8")
    named = re.findall(r"`((?:clamp_analytics|tests|docs|sql|benchmarks|notebooks)/[\w./-]+)`", text)
    named += [f"clamp_analytics/{name}" for name in re.findall(r"\*\* \(`([a-z_/]+/)`", text)]

    missing = [path for path in named if not (ROOT / path).exists()]

    assert missing == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.parts[0] == "docs"], ids=str)
def test_a_page_of_the_site_is_in_a_table_of_contents(page):
    name = str(page.relative_to("docs").with_suffix(""))
    tables = [(ROOT / "docs" / index).read_text("utf-8") for index in ("index.md", "decisions/index.md")]

    listed = {line.strip() for text in tables for line in text.splitlines()}

    assert name == "index" or name in listed or name.startswith("decisions/0")


def test_the_layers_are_those_of_the_import_diagram():
    page = (ROOT / "docs" / "extending.md").read_text("utf-8")
    rows = re.findall(r"^\| ((?:`\w+` ?)+)\|", page, re.MULTILINE)

    layers = [set(re.findall(r"\w+", row)) for row in rows]

    assert layers == LAYERS


def test_the_python_reference_has_every_public_name_once():
    page = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")

    documented = re.findall(r"^\.\. (?:auto\w+|data):: (\w+)$", page, re.MULTILINE)

    assert sorted(documented) == sorted(set(clamp_analytics.__all__) - {"__version__"})
