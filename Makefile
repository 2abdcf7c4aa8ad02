# How Laurel is installed, checked and tried. `make help` lists the targets.
#
# Everything lands inside the checkout (.venv, node_modules, var); a system package is fetched only
# when one is missing and we are root, and otherwise its name is told. Logs of quiet steps: var/log.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help install node browser lint test demo bench acceptance lock clean

# The lock is made for this Python: hashes cover the wheels of one minor version.
PYTHON ?= python3.11
BIN := .venv/bin
LOGS := var/log
# Two cores are the smallest machine this is meant for; JOBS=0 runs the tests in one process.
# A file's tests stay together: some share a house that takes seconds to build, and one file tells a story.
JOBS ?= 2
PYTEST ?= $(BIN)/pytest

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# $(call apt,log name,packages): install system packages, or say which ones are missing.
define apt
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	    echo "Missing: $(2). Install it first, for example: sudo apt-get install $(2)" >&2
	    exit 1
	fi
	mkdir -p $(LOGS)
	echo "Installing the system packages: $(2) (log: $(LOGS)/$(1).log)"
	if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(2); } \
	    >$(LOGS)/$(1).log 2>&1; then
	    tail -n 20 $(LOGS)/$(1).log >&2
	    exit 1
	fi
endef

install: .venv/.installed ## the virtual environment in .venv, from the lock file

.venv/.installed: constraints.txt pyproject.toml
	@if ! $(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
	$(call apt,python,python3.11 python3.11-venv)
	fi
	mkdir -p $(LOGS)
	if [ ! -x $(BIN)/pip ]; then
	    echo "Creating .venv with $$($(PYTHON) --version)"
	    $(PYTHON) -m venv .venv
	fi
	total=$$(grep -c '^[a-z].*==' constraints.txt)
	echo "Installing $$total locked packages into .venv, about a minute (log: $(LOGS)/install.log)"
	if ! $(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
	    --require-hashes -r constraints.txt 2>&1 | tee $(LOGS)/install.log \
	    | awk -v total="$$total" '/^Collecting /{ if (++n % 20 == 0) { print "  " n " of " total " fetched"; fflush() } }'; then
	    tail -n 20 $(LOGS)/install.log >&2
	    exit 1
	fi
	$(BIN)/python -m pip install --disable-pip-version-check --no-input -q --no-deps --no-build-isolation \
	    --editable . >>$(LOGS)/install.log 2>&1 || { tail -n 20 $(LOGS)/install.log >&2; exit 1; }
	touch $@
	echo "Installed: .venv is ready"

node: node_modules/.installed ## Shopify's schemas for the contract tests (npm)

node_modules/.installed: package.json package-lock.json .npmrc
	@if ! command -v npm >/dev/null; then
	$(call apt,node,nodejs npm)
	fi
	mkdir -p $(LOGS)
	echo "Installing Shopify's schemas into node_modules, about half a minute (log: $(LOGS)/npm.log)"
	npm ci --ignore-scripts >$(LOGS)/npm.log 2>&1 || { tail -n 20 $(LOGS)/npm.log >&2; exit 1; }
	touch $@

browser: ## Chromium for the browser tests, when the machine has none
	@if ! command -v chromium >/dev/null; then
	$(call apt,chromium,chromium)
	fi

lint: install ## style, types and the import contracts
	@echo "ruff check";           $(BIN)/ruff check .
	echo "ruff format --check"; $(BIN)/ruff format --check .
	echo "mypy";                $(BIN)/mypy
	echo "lint-imports";        $(BIN)/lint-imports

test: install node browser ## the whole test suite, on real engines
	@echo "Running the test suite in $(JOBS) processes"
	$(PYTEST) --hypothesis-profile=thorough -n $(JOBS) --dist loadfile -rs $(ARGS)

demo: install ## the whole story on this machine (ONCE=1: play it once and stop)
	@exec $(BIN)/flask demo $(if $(filter 1,$(ONCE)),--once)

bench: install ## measure against the peers; writes bench/results.json
	@exec $(BIN)/python -m bench $(ARGS)

acceptance: install node browser ## rows of the source documents that work, by passing tests
	@echo "Running the tests that carry acceptance ids"
	$(PYTEST) -n $(JOBS) --dist loadfile -q --acceptance $(ARGS)

lock: install ## write constraints.txt and package-lock.json anew
	@mkdir -p $(LOGS)
	echo "Resolving the Python packages, up to a minute (log: $(LOGS)/lock.log)"
	$(BIN)/pip-compile -q --extra dev --generate-hashes --allow-unsafe --strip-extras $(ARGS) --no-emit-index-url \
	    --no-emit-find-links --no-emit-trusted-host --no-header -o constraints.txt pyproject.toml \
	    >$(LOGS)/lock.log 2>&1 || { tail -n 20 $(LOGS)/lock.log >&2; exit 1; }
	echo "Resolving the npm packages (log: $(LOGS)/npm.log)"
	npm install --package-lock-only --ignore-scripts >$(LOGS)/npm.log 2>&1 || { tail -n 20 $(LOGS)/npm.log >&2; exit 1; }

clean: ## remove what was installed and built (var/ with its data stays)
	@rm -rf .venv node_modules build ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	echo "Removed .venv, node_modules and caches"
