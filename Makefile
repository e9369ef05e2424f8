# `make run` is the way in. Each target sets up what it needs; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup run up test lint fuzz bench lock deploy destroy clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.8
# The environment of samconfig.toml that deploy and destroy are about.
ENV ?= default
BIN := .venv/bin
SYNCED := .venv/synced

# Compiled modules halve the start of every process.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SYNCED) ## Make .venv with everything in it

run: $(SYNCED) ## Send the sample file through the whole pipeline, on this machine
	@$(BIN)/mpg run data/auto-mpg.csv --decision approve

up: $(SYNCED) ## Start the embedded AWS with the pipeline deployed, until Ctrl-C
	@$(BIN)/mpg up

test: lint ## Check style and types, run all tests
	@$(BIN)/pytest

lint: $(SYNCED) ## Check style and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy

fuzz: $(SYNCED) ## Fuzz what reads uploads, models, requests and events, for three minutes each (Linux, x86-64)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --group fuzz
	@$(BIN)/python -m tests.fuzz

bench: $(SYNCED) ## Measure the pipeline beside one plain script
	@$(BIN)/python benchmarks/end_to_end.py

lock: $(SYNCED) ## Resolve requirements.lock anew
	@$(BIN)/uv pip compile pyproject.toml --no-config --override requirements-overrides.txt --group dev \
		--universal --generate-hashes --quiet --custom-compile-command "make lock" --output-file requirements.lock

deploy: $(SYNCED) ## Deploy to your AWS account, after checking its quotas
	@$(BIN)/python -m deploy --config-env $(ENV)

destroy: $(SYNCED) ## Delete the deployment from your AWS account, with all its data
	@$(BIN)/python -m deploy.destroy --config-env $(ENV)

clean: ## Remove .venv, builds and caches
	@if [ -x $(BIN)/mpg ]; then $(BIN)/mpg down; fi
	rm -rf .venv .mpg .aws-sam .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Written last, so that an interrupted setup starts over. Sync removes what is not locked, the project itself included.
$(SYNCED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3"; exit 1; }
	@echo "Setting up .venv (once, and whenever requirements.lock changes)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
