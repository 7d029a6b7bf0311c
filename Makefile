# Needs Python 3.11 to 3.13, pip, git and make; everything else goes into .venv, and nothing outside of it changes.
# Reasons: docs/decisions/0001-one-lock-file-one-make-bootstrap.md

.DEFAULT_GOAL := help
SHELL := /bin/sh
.SUFFIXES:

# The one tool that is not in uv.lock, because it reads it. The Dockerfile installs the same version.
UV_VERSION := 0.13.9

# The Python that .venv is made with; without it, the first on PATH that fits. After a change: make clean.
PYTHON ?=
CANDIDATES = $(or $(PYTHON),python3.11 python3.12 python3.13 python3 python)

PYTEST_ARGS ?=
DEMO_ARGS ?=
UP_ARGS ?=
YEARS_ARGS ?=
RACE_ARGS ?=

# Test processes wait as much as they work, so more of them than cores; each may run a Temporal server of its own, so
# no more than three.
TEST_PROCESSES ?= 3

BIN := .venv/bin
READY := .venv/.ready

# A .venv names its own place in its scripts: one that was moved or copied is looked at again.
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif

.PHONY: help demo test soak check journeys cancel-race years up clean

help: ## List what can be made (the default)
	@echo 'make TARGET'
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/  \1 \2/p' $(MAKEFILE_LIST) | awk '{ name = $$1; $$1 = ""; printf "  %-13s%s\n", name, $$0 }'

demo: $(READY) ## Watch subscriptions being billed by real workflows, and check every charge (DEMO_ARGS=--keep leaves it running)
	@$(BIN)/gudok demo $(DEMO_ARGS)

journeys: ## List every journey a test lives through, one sentence each
	@$(firstword $(wildcard $(BIN)/python) python3) tests/journeys/listing.py

cancel-race: $(READY) ## Ten thousand cancels that meet their charge, against the emulator's books (RACE_ARGS=--count 500)
	@$(BIN)/python -m chaos.cancel_race $(RACE_ARGS)

years: $(READY) ## Ten years of one subscription, daily and monthly: wall time, books, largest history (YEARS_ARGS=--plan monthly)
	@$(BIN)/python -m bench.years $(YEARS_ARGS)

up: $(READY) ## Run everything in the foreground: Temporal with its UI, PortOne emulator, worker, api
	@$(BIN)/gudok up $(UP_ARGS)

# The tests start many processes of ours, which would each compile every module again without a place to keep it.
PYTEST = env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal --durations=15

test: $(READY) ## Run the tests; ends with the slowest ones and what was skipped and why (PYTEST_ARGS=...)
	@$(PYTEST) -m 'not soak' $(PYTEST_ARGS)

soak: $(READY) ## Run the long tests that `make test` leaves out: storms, fleets, kills, long walks
	@$(PYTEST) -m soak $(PYTEST_ARGS)

check: $(READY) ## Lint, formatting, types, import directions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## Remove .venv and every cache; .gudok/ (your local data) stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# pip itself comes from the Python that was found, so a Debian without python3-venv will do. Its settings reach uv where
# uv has the same: certificate bundle, time-out. A package index of your own (PIP_INDEX_URL, pip.conf) is nothing that a
# lock file with addresses can follow: there, and wherever uv gets no answer, pip installs the same files by their hashes.
$(READY): pyproject.toml uv.lock
	@set -eu; rm -f $@; \
	say() { printf 'gudok: %s\n' "$$*" >&2; }; \
	fits() { "$$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }; \
	for python in $(CANDIDATES) ''; do \
	  if fits "$$python"; then break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  say 'needs Python 3.11, 3.12 or 3.13; found none of: $(CANDIDATES)'; \
	  say 'If one is elsewhere: make PYTHON=/path/to/python3.11'; exit 1; \
	fi; \
	export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore; \
	pip() { "$$python" -m pip "$$@"; }; \
	if ! pip --version >/dev/null 2>&1; then \
	  say "$$python has no pip. Debian and Ubuntu: apt install python3-pip; elsewhere: $$python -m ensurepip"; exit 1; \
	fi; \
	if ! fits $(BIN)/python || ! grep -qsF "$$(pwd -P)/.venv" $(BIN)/activate; then \
	  say "making .venv with $$("$$python" --version)"; \
	  "$$python" -m venv --clear --without-pip .venv; \
	fi; \
	case "$$(.venv/uv/bin/uv --version 2>/dev/null)" in 'uv $(UV_VERSION)' | 'uv $(UV_VERSION) '*) ;; *) \
	  rm -rf .venv/uv; pip install --quiet --target .venv/uv 'uv==$(UV_VERSION)' ;; \
	esac; \
	unset VIRTUAL_ENV; export UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never; \
	if [ -n "$${PIP_CERT:-}" ]; then export SSL_CERT_FILE="$${SSL_CERT_FILE:-$$PIP_CERT}"; fi; \
	if [ -n "$${PIP_DEFAULT_TIMEOUT:-}" ]; then export UV_HTTP_TIMEOUT="$${UV_HTTP_TIMEOUT:-$$PIP_DEFAULT_TIMEOUT}"; fi; \
	own_index=$${PIP_INDEX_URL:-$$(pip config get global.index-url 2>/dev/null || true)}; \
	say 'installing what uv.lock names into .venv'; \
	if [ -n "$$own_index" ] || ! .venv/uv/bin/uv sync --quiet --frozen --compile-bytecode --extra local --python $(BIN)/python; then \
	  say 'through pip, held by the hashes of uv.lock'; \
	  .venv/uv/bin/uv export --quiet --frozen --extra local --no-emit-project --output-file .venv/requirements.txt; \
	  pip --python $(BIN)/python install --quiet --require-hashes --requirement .venv/requirements.txt; \
	  pip --python $(BIN)/python install --quiet --no-deps --editable .; \
	fi; \
	printf '%s\n' '$(CURDIR)' > $@
