# `make demo` and `make test` need nothing but Python 3.11 or later.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
MINUTES ?= 10

.PHONY: help demo test check bench fuzz docs clean
help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | sort

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP)  ## install, summarize data/samples and show it
	$(BIN)/clamp-analytics summarize data/samples

test: $(STAMP)  ## install, run every test
	$(BIN)/pytest -n auto

check: $(STAMP)  ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)  ## measure against the rivals, as ratios
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks

fuzz: $(STAMP)  ## search for inputs that are read wrongly, for MINUTES=10 minutes
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[fuzz]'
	$(BIN)/python -m fuzz --minutes $(MINUTES)

docs: $(STAMP)  ## update the generated parts of the pages and build the site into build/site
	$(BIN)/python docs/scripts/generate.py
	$(BIN)/python docs/scripts/report_picture.py
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs build/site

clean:  ## remove what the targets have written
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
