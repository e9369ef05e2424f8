# `make run` is the way in. Each target sets up what it needs; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup run up test quick slow lint lint-page pytorch audit audit-lock fuzz bench lock deploy preflight destroy clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
# The environment of samconfig.toml that deploy and destroy are about.
ENV ?= default
BIN := .venv/bin
SYNCED := .venv/synced
# More than there are cores: the slow tests mostly wait.
WORKERS ?= 5
# The quick tests, the longest first. Each folder has a pytest of its own, since handing so many small tests out to
# workers, who would all collect all of them, takes longer than most of the tests.
QUICK := tests/unit/processing tests/unit tests/unit/functions tests/unit/engines tests/statemachine tests/unit/security
SLOW := tests/integration tests/e2e tests/faults tests/web
# These only compute, with an interpreter of their own, and take what the slow ones leave of the machine.
IN_PYTORCH := tests/unit/processing/digits/pytorch
# One more than there are cores, since a few wait.
SIDE_BY_SIDE := --no-print-directory --keep-going --output-sync --jobs=$(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# What looks for security mistakes needs other versions than the project, so an environment of its own.
AUDIT := .audit
AUDIT_SYNCED := $(AUDIT)/synced
PAGE_SYNCED := tests/web/node_modules/.synced
# A file that it cannot read is a failure, and it sends nothing, whatever key it finds in the environment.
CHECKOV := CKV_PARSE_ERROR_FAIL=true BC_API_KEY= $(AUDIT)/bin/checkov --config-file audit/checkov.yaml
LOCKS := requirements.lock requirements-audit.lock requirements-uv.lock requirements-pytorch.lock requirements-bench.lock functions/requirements.txt processing/requirements.txt processing/wheels/requirements.txt \
	processing/runtime/requirements.txt

COMPILE := $(BIN)/uv pip compile --no-config --universal --generate-hashes --quiet --custom-compile-command "make lock" \
	$(addprefix --upgrade-package=,$(UPGRADE))

# Compiled modules halve the start of every process.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SYNCED) ## Make .venv with everything in it

run: $(SYNCED) ## Send the sample file through the whole pipeline, on this machine
	@$(BIN)/mpg run data/auto-mpg.csv --decision approve

up: $(SYNCED) ## Start the embedded AWS with the pipeline deployed, until Ctrl-C
	@$(BIN)/mpg up

# The audit has it among its own.
test: LINT := $(if $(filter audit lint,$(MAKECMDGOALS)),,lint)
test: $(SYNCED) ## Check style and types, run all tests, the quick ones first
	@$(BIN)/python -m tests.pytorch
	@$(MAKE) $(SIDE_BY_SIDE) $(LINT) $(QUICK)
	@$(MAKE) --no-print-directory --keep-going --jobs=2 slow $(IN_PYTORCH)

quick: $(SYNCED)
	@$(MAKE) $(SIDE_BY_SIDE) $(QUICK)

slow: $(SYNCED)
	@$(BIN)/pytest -n $(WORKERS) --no-loadscope-reorder $(SLOW)

.PHONY: $(QUICK) $(IN_PYTORCH)
# A folder without its parts that are listed themselves.
$(QUICK): $(SYNCED)
	@$(BIN)/pytest -q $@ $(addprefix --ignore=,$(filter $@/%,$(QUICK)))

$(IN_PYTORCH): $(SYNCED)
	@$(BIN)/python -m tests.pytorch tests

lint: $(SYNCED) ## Check style, types and the template
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/cfn-lint
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory lint-page; \
		else echo "no npm here, so the types of the catalogue's page are not checked"; fi

# The page itself needs no Node.js; what checks it does.
lint-page: $(PAGE_SYNCED)
	@cd tests/web && npm run --silent check

audit: lint $(AUDIT_SYNCED) ## Look for security mistakes in template, code, workflows and locks
	@$(AUDIT)/bin/zizmor --offline --quiet .github/workflows
	@for lock in $(LOCKS); do \
		$(BIN)/uv pip compile --no-deps --universal "$$lock" >/dev/null 2>$(AUDIT)/said || { cat $(AUDIT)/said; exit 1; }; \
		if grep yanked $(AUDIT)/said; then exit 1; fi; done
	@$(BIN)/python -m audit.transformed >$(AUDIT)/template.json
	@$(CHECKOV) --framework cloudformation --file $(AUDIT)/template.json
	@for stack in catalogue jobs monitoring observability release serving; do \
		$(BIN)/python -m audit.transformed stacks/$$stack.yaml >$(AUDIT)/$$stack.json; \
		$(CHECKOV) --framework cloudformation --file $(AUDIT)/$$stack.json || exit 1; done
	@$(CHECKOV) --framework secrets --file $$(git ls-files)

# Not PyTorch's list, which has to be as old as AWS's image: only jobs on this machine run it.
audit-lock: $(AUDIT_SYNCED) ## Look up known vulnerabilities of what is locked, on the internet
	@for lock in $(filter-out requirements-pytorch.lock,$(LOCKS)); do echo "$$lock"; $(AUDIT)/bin/pip-audit --strict --require-hashes --disable-pip \
		--progress-spinner off --requirement "$$lock" || exit 1; done

pytorch: $(SYNCED) ## Install PyTorch for its images now; the first job that needs it would (Linux: 5.7 GB)
	@$(BIN)/python -m local.sagemaker.engines.environments pytorch

fuzz: $(SYNCED) ## Fuzz what reads uploads, models, requests and events, for three minutes each (Linux, x86-64)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --group fuzz
	@$(BIN)/python -m tests.fuzz

bench: $(SYNCED) ## Measure the pipeline beside one plain script
	@$(BIN)/python benchmarks/end_to_end.py

lock: $(SYNCED) ## Resolve the locks anew; UPGRADE=<package> takes its newest release
	@$(COMPILE) pyproject.toml --override requirements-overrides.txt --group sam --group dev --output-file requirements.lock
	@$(COMPILE) --group audit --output-file requirements-audit.lock
	@$(COMPILE) --group uv --output-file requirements-uv.lock
	@$(COMPILE) --no-deps --group publish --output-file processing/requirements.txt
	@$(COMPILE) --constraint requirements.lock --no-emit-package numpy --group wheels --output-file processing/wheels/requirements.txt
	@$(COMPILE) --constraint requirements.lock --no-deps --group serving --output-file processing/runtime/requirements.txt
	@$(COMPILE) --group pytorch --output-file requirements-pytorch.lock
	@$(COMPILE) --group bench --output-file requirements-bench.lock

deploy: $(SYNCED) ## Deploy to your AWS account, after checking its quotas
	@$(BIN)/mpg deploy --config-env $(ENV)

preflight: $(SYNCED) ## Look at what the pipeline assumes of AWS, in your account
	@$(BIN)/mpg preflight

destroy: $(SYNCED) ## Delete the deployment from your AWS account, with all its data
	@$(BIN)/mpg destroy --config-env $(ENV)

clean: ## Remove .venv, builds and caches
	@if [ -x $(BIN)/mpg ]; then $(BIN)/mpg down; fi
	rm -rf .venv .audit tests/web/node_modules .mpg .aws-sam .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Written last, so that an interrupted setup starts over. Sync removes what is not locked, the project itself included.
$(SYNCED): requirements.lock requirements-uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3"; exit 1; }
	@echo "Setting up .venv (once, and whenever requirements.lock changes)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
		--requirement requirements-uv.lock
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m local.cli.compiled
	@touch $@

$(AUDIT_SYNCED): requirements-audit.lock | $(SYNCED)
	@echo "Setting up .audit (once, and whenever requirements-audit.lock changes)"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(AUDIT)
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(AUDIT)/bin/python requirements-audit.lock
	@touch $@

$(PAGE_SYNCED): tests/web/package-lock.json
	@cd tests/web && npm ci --silent
	@touch $@
