# `make demo` and `make test` need nothing but Python 3.11 or later; with a Rust toolchain they build the native decoder.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
KERNEL := $(VENV)/.kernel
MINUTES ?= 10

FLOORS := build/floors
CORE   := tests/archive tests/database tests/decode tests/parquet tests/plots tests/reading tests/rewrite tests/analysis/stats
TARGET ?= moments

# The tests start many interpreters, each of which would compile every module.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test floors mutation check bench fuzz docs clean
help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | sort

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

# The native decoder is optional: without it, the same files are decoded in Python.
$(KERNEL): $(STAMP) kernel/Cargo.toml kernel/Cargo.lock kernel/pyproject.toml $(wildcard kernel/src/*.rs)
	@mkdir -p build
	@if ! command -v cargo >/dev/null; then \
	  echo "the native decoder is not built, because there is no Rust toolchain; files are decoded in Python"; \
	elif $(BIN)/pip install --quiet --disable-pip-version-check --force-reinstall --no-deps ./kernel >build/kernel.log 2>&1; then \
	  touch $@; \
	else \
	  echo "the native decoder could not be built (build/kernel.log says why); files are decoded in Python"; \
	fi

demo: $(STAMP) $(KERNEL)  ## install, summarize data/samples and show it
	$(BIN)/clamp-analytics summarize data/samples

test: $(STAMP) $(KERNEL)  ## install, run every test
	$(BIN)/pytest -n auto

# Without lake, which needs a later pyarrow than everything else; its tests are then not collected.
floors:  ## run the core of the tests on the lowest versions that pyproject.toml allows
	$(PYTHON) -m venv $(FLOORS)
	$(FLOORS)/bin/pip install --quiet --disable-pip-version-check uv
	$(FLOORS)/bin/uv pip install --quiet --python $(FLOORS)/bin/python --resolution lowest-direct '.[charts,cloud,drift,watch]'
	$(FLOORS)/bin/uv pip install --quiet --python $(FLOORS)/bin/python --constraint constraints.txt hypothesis pytest pytest-xdist
	$(FLOORS)/bin/python -m pytest -n auto $(CORE)

mutation: $(STAMP)  ## change details of the modules of TARGET=moments, and count what the tests notice
	$(BIN)/python -m mutation $(TARGET)

check: $(STAMP)  ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP) $(KERNEL)  ## measure against the rivals, as ratios
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks

fuzz: $(STAMP) $(KERNEL)  ## search for inputs that are read wrongly, for MINUTES=10 minutes
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[fuzz]'
	$(BIN)/python -m fuzz --minutes $(MINUTES)

docs: $(STAMP)  ## update the generated parts of the pages and build the site into build/site
	$(BIN)/python docs/scripts/generate.py
	$(BIN)/python docs/scripts/report_picture.py
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -D run_notebooks=1 docs build/site

clean:  ## remove what the targets have written
	rm -rf $(VENV) build dist kernel/target .pytest_cache .mypy_cache .ruff_cache
