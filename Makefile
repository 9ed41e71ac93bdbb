# Needs Python 3.11 or newer and make; everything else goes into .venv, from the lock files.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

# make test ARGS="tests/unit -k volumes"; make lock UPGRADE=1
ARGS         ?=
UPGRADE      ?=
# How long the demo runs (empty: until Ctrl-C), and where it keeps its data (empty: its own choice).
DEMO_SECONDS ?=
DEMO_DATA    ?=

# A Python that was upgraded or removed leaves a .venv behind that cannot start; it is made anew.
BROKEN := $(shell test ! -d $(VENV) || $(BIN)/python -c '' 2>/dev/null || rm -rf $(VENV))

CODE := $(wildcard watcher tests benchmarks)

.DEFAULT_GOAL := help
.PHONY: help demo test check lock clean
.NOTPARALLEL:

help:
	@echo "make demo    the whole service against an emulated cluster (DEMO_SECONDS=60, DEMO_DATA=directory)"
	@echo "make test    all checks and all tests (ARGS=... goes to pytest)"
	@echo "make check   ruff, mypy and the import contracts"
	@echo "make lock    writes both lock files from pyproject.toml (UPGRADE=1 takes newer versions)"
	@echo "make clean   removes .venv, caches and build results"

demo: $(VENV)/.runtime $(VENV)/.editable
	@exec $(BIN)/watcher demo $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS)) $(if $(DEMO_DATA),--data "$(DEMO_DATA)")

test: check
	@$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev $(VENV)/.editable
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "Not formatted; run: $(BIN)/ruff format"; exit 1; }
	@$(BIN)/mypy --no-error-summary $(CODE)
	@$(BIN)/lint-imports --no-logo

# The two locks share one .venv: the dev lock holds every pin of the run lock, so it counts as both.
$(VENV)/.runtime: requirements.lock | $(BIN)/python
	@echo "Installing what Watcher needs to run (about a minute the first time) ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(BIN)/python
	@echo "Installing what Watcher and its tests need (about a minute the first time) ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@ $(VENV)/.runtime

# Its own step, since pip refuses -e where hashes are required. pip check finds a lock that is behind pyproject.toml.
$(VENV)/.editable: pyproject.toml | $(BIN)/python
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(PIP) check || { echo "The lock files do not fit pyproject.toml; run: make lock"; exit 1; }
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Watcher needs Python 3.11 or newer; choose one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# uv resolves for every platform at once, which pip cannot; it lives only as long as this target runs.
UV_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" --quiet $(if $(UPGRADE),--upgrade)

lock:
	@set -e; tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	$(PYTHON) -m venv "$$tools"; \
	"$$tools/bin/python" -m pip --disable-pip-version-check install --quiet 'uv>=0.13'; \
	"$$tools/bin/uv" pip compile $(UV_OPTIONS) pyproject.toml --extra postgres --group build -o requirements.lock; \
	"$$tools/bin/uv" pip compile $(UV_OPTIONS) pyproject.toml --extra postgres --group dev \
		-c requirements.lock -o requirements-dev.lock
	@echo "Wrote requirements.lock and requirements-dev.lock."

clean:
	@rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
