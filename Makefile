# Everything runs in .venv, which venv and pip alone build. `make` lists the targets.

PYTHON ?= python3
BIN    := .venv/bin
STAMP  := .venv/.installed
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help env demo test lint docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile

env: $(STAMP) ## build .venv (again only when pyproject.toml changes)

demo: $(STAMP) ## do the main job on real data
	$(BIN)/byhand demo $(ARGS)

test: $(STAMP) ## run the tests, e.g. make test ARGS="-k trace"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical $(ARGS)

lint: $(STAMP) ## check style, format, types, and what imports what
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

docs: $(STAMP) ## build the site into site/, links checked
	@$(BIN)/python -c 'import material, mkdocstrings' 2>/dev/null || \
	  { echo "installing the tools of the site"; $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'; }
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

clean: ## remove .venv and whatever the tools wrote
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || \
	  { echo "byhand needs Python 3.11 or newer, and there is no '$(PYTHON)' here. Name one: make env PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "byhand needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Name another: make env PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "'$(PYTHON)' cannot make a virtual environment: its venv module is missing. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
