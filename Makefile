# AlertOps. `make help` tells what there is; nothing has to be run before it.

PYTHON ?= python3
BIN := .venv/bin
LOCAL := $(BIN)/python -m deploy.local

.DEFAULT_GOAL := help

.PHONY: help
help: ## Tell what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- what a person runs

.PHONY: demo
demo: install ## Watch real alerts escalate, through faults, in the terminal (about a minute)
	@$(BIN)/python -m deploy.demo

.PHONY: run
run: install ## Start API, workers, Flower, mail sink, Postgres and RabbitMQ, and leave them up
	@$(LOCAL) run

.PHONY: stop
stop: install ## End all that `make run` started
	@$(LOCAL) stop

# ---- what a developer and CI run

# Each process has servers of its own. A file stays in one process, as its fixtures are made once; the long ones
# come first, so that the processes end at about the same time. docs/decisions/0025-the-test-run.md
PROCESSES ?= 2
SIDE_BY_SIDE = -m "not alone and not nightly" --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder
ALONE = -m "alone and not nightly"

.PHONY: test
test: lint types contracts ## All checks and tests, on a private Postgres and RabbitMQ
	@$(LOCAL) install >/dev/null
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE)
	@$(BIN)/python -m pytest $(ALONE)

.PHONY: nightly
nightly: install ## The tests that take minutes or the network: a cluster of brokers, an upgrade, the image's contents
	@$(LOCAL) install >/dev/null
	@$(BIN)/python -m pytest -m nightly $(ARGS)

.PHONY: quick
quick: lint types contracts ## The checks and the tests that need no server (seconds)
	@$(BIN)/python -m pytest tests/unit

.PHONY: lint
lint: install ## Formatting and lint
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .

.PHONY: format
format: install ## Bring the code into shape
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

.PHONY: types
types: install ## Static types
	@$(BIN)/mypy

.PHONY: contracts
contracts: install ## Which part may import which
	@$(BIN)/lint-imports --no-logo

.PHONY: coverage
coverage: install ## Tests again, with the lines that none of them reached
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) --cov --cov-report=
	@$(BIN)/python -m pytest $(ALONE) --cov --cov-append --cov-report=term-missing

.PHONY: chaos
chaos: install ## Hurt the real fleet in all ways known, and check every promise (ARGS="--profile standard --seed 1")
	@$(BIN)/python -m deploy.chaos $(ARGS)

.PHONY: races
races: install ## Race acknowledge and claim 100,000 times, and check that none gets past (ARGS="--pairs 2000")
	@$(BIN)/python -m tests.races $(ARGS)

.PHONY: mutants
mutants: install ## Plant bugs, and see whether the fault harness finds each (ARGS="--only unfenced")
	@$(BIN)/python -m deploy.chaos.mutants $(ARGS)

.PHONY: bench
bench: install ## Measure against the floor and against peers; under 30 minutes (ARGS="--quick": under 3)
	@$(BIN)/python -m tests.benchmarks $(ARGS)

# ---- setting up

.PHONY: install
install: .venv/installed ## Make .venv and install the locked packages into it

# A machine may have Python without its venv module (Debian packages it apart).
.venv/installed: requirements.lock setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "AlertOps needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
			&& echo "Installing Python's venv module ..." \
			&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv >/dev/null; } \
		|| { echo "Python's venv module is missing; install it with: sudo apt-get install -y python3-venv"; exit 1; }
	@echo "Installing the Python packages into .venv (about a minute) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# With their extras: pip 23 does not join `coverage` with another package's `coverage[toml]`, and takes a newer release.
.PHONY: lock
lock: ## Write requirements.lock anew from the newest releases that setup.cfg allows, with their hashes
	@rm -rf .local/lock && mkdir -p .local && $(PYTHON) -m venv .local/lock
	@.local/lock/bin/python -m pip install --quiet --disable-pip-version-check pip-tools
	@.local/lock/bin/pip-compile --quiet --upgrade --extra dev --generate-hashes --allow-unsafe --no-strip-extras \
		--no-header --no-annotate --no-emit-options --output-file requirements.lock setup.cfg
	@rm -rf .local/lock

.PHONY: sbom
sbom: install ## Write .local/sbom.json: every package and its licence, as CycloneDX
	@mkdir -p .local
	@$(BIN)/cyclonedx-py environment .venv --output-reproducible \
		--of JSON --output-file .local/sbom.json
	@echo "Wrote .local/sbom.json"

.PHONY: clean
clean: ## Stop everything and delete what this Makefile made
	@[ ! -x $(BIN)/python ] || $(LOCAL) stop
	@[ ! -x $(BIN)/python ] || $(LOCAL) down --remove
	@rm -rf .venv .local .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
