# Plain GNU make; needs python3 (3.11 or later) and a package registry. `make` alone lists the targets.
# Paths are relative, so the folder's own name may hold spaces.
# What is installed is what `requirements/` locks, unless a target says otherwise.

PYTHON ?= python3
VENV ?= .venv
# More than the two cores of a small machine: a worker often waits for a job of the sandbox.
WORKERS ?= 4
# Where the state machines begin. On CI always the same, so that what it says of a change is about that change.
SEED ?= $(if $(CI),1,$(shell date +%s))
MINUTES ?= 10

BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := .venv-tools
# Orchestrators of the examples, each in an environment of its own: no plugin depends on one.
ENGINES := .venv-dagster/.ready .venv-airflow/.ready
SCHEMA := $(TOOLS)/bin/check-jsonschema --builtin-schema
FORMS = $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
UV := $(BIN)/python -m uv
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal
COMPILE := pip compile -q --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock'

# Without it every run and every test compiles anew what it loads.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo picture playground test quick test-all engines test-deep coverage lint spelling workflows hooks wheels docs definitions bench bench-quick lock newest lowest clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: $(READY) ## Four providers to PostgreSQL and Mailjet, without an account
	@$(BIN)/python examples/demo/demo.py

picture: $(READY) ## The pictures of a report, from the demo's, by Chromium
	@$(BIN)/python -m tools.picture

playground: $(READY) ## A shell with a sandbox and Meltano, to try the examples in
	@$(BIN)/python examples/demo/playground.py

# With EVERY, what `test-all` runs comes in the same run. Its searches are as long as there, and those without the marker
# `machine` are as long in both.
test: $(READY) ## Every promise, route and provider, in some minutes
ifdef EVERY
	@echo 'Searches begin at SEED=$(SEED)'
	@SEARCH=long $(PYTEST) -m 'not engine' --hypothesis-seed=$(SEED)
else
	@$(PYTEST) -m 'not exhaustive and not engine'
endif

quick: $(READY) ## The tests that take a tenth of a second at most
	@$(PYTEST) -m 'not slow and not exhaustive' --ignore=tests/faults

test-all: $(READY) ## What `make test` leaves out; SEED=n repeats state machines
	@echo 'The state machines begin at SEED=$(SEED)'
	@SEARCH=long $(PYTEST) -m 'exhaustive or machine' --hypothesis-seed=$(SEED)

engines: $(READY) $(ENGINES) ## The examples of orchestrators, each run by the real one
	@$(PYTEST) tests/engines

test-deep: $(READY) ## All searches, by new seeds, for MINUTES (10) or until one fails
	@$(BIN)/python tests/deep.py --minutes $(MINUTES) --seed $(SEED) --workers $(WORKERS)

coverage: $(READY) ## Branch coverage of the quick tests; fails below its floor
	@$(PYTEST) -m 'not slow and not exhaustive' --ignore=tests/faults --cov --cov-report=term

lint: spelling ## Style, types, spelling and plain words
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@MYPYPATH=examples/demo $(BIN)/mypy examples/demo/demo.py examples/demo/playground.py
	@$(BIN)/mypy tools/*.py
	@MYPYPATH=tests/fifth/package $(BIN)/mypy -p examplemail
	@$(BIN)/python tools/phrases.py

spelling: $(READY) ## Spelling of code, messages and documents
	@$(BIN)/codespell . .github

workflows: $(TOOLS)/.ready ## GitHub's workflows and forms: schemas, and what is unsafe
	@$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	@$(SCHEMA) custom.github-workflows-require-timeout .github/workflows/*.yml
	@$(SCHEMA) vendor.dependabot .github/dependabot.yml
	@$(SCHEMA) vendor.github-issue-forms $(FORMS)
	@$(SCHEMA) vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(TOOLS)/bin/zizmor --quiet --offline --pedantic --strict-collection .github

wheels: $(READY) ## Build both distributions, install each elsewhere and run it
	@rm -rf dist
	@$(UV) build -q --no-build-isolation --no-create-gitignore --python $(BIN)/python -o dist .
	@$(UV) build -q --no-build-isolation --no-create-gitignore --python $(BIN)/python -o dist mailing_sandbox
	@$(BIN)/python tools/wheels.py dist

docs: $(TOOLS)/.ready ## The documentation as a site in build/site, its links checked
	@NO_MKDOCS_2_WARNING=1 $(TOOLS)/bin/python -m mkdocs build --strict

definitions: $(READY) ## Write plugins/, the definitions for Meltano, anew
	@$(BIN)/python -m tools.definitions

hooks: $(READY) $(TOOLS)/.ready ## Have git run the checks of .pre-commit-config.yaml
	@$(TOOLS)/bin/pre-commit install

bench: $(READY) ## Goals, and ratios to other taps and targets; takes an hour
	@$(BIN)/python benchmarks/bench_goals.py
	@$(BIN)/python benchmarks/bench_growth.py
	@$(BIN)/python benchmarks/bench_tap.py
	@$(BIN)/python benchmarks/bench_target.py
	@$(BIN)/python benchmarks/bench_tap.py --latency
	@$(BIN)/python benchmarks/bench_tap.py --million
	@$(BIN)/python benchmarks/bench_snapshots.py
	@$(BIN)/python benchmarks/bench_calls.py
	@$(BIN)/python benchmarks/bench_target.py --million
	@$(BIN)/python benchmarks/bench_journal.py
	@$(BIN)/python benchmarks/bench_workers.py
	@$(BIN)/python benchmarks/bench_budget.py

bench-quick: $(READY) ## The target's costs beside its goals; or ROWS='wall cpu'
	@$(BIN)/python benchmarks/bench_goals.py $(or $(ROWS),--quick)

lock: $(READY) ## Lock the newest versions that pyproject.toml allows
	@$(UV) $(COMPILE) --upgrade --extra sandbox --extra postgresql --group dev pyproject.toml -o requirements/dev.txt
	@$(UV) $(COMPILE) --upgrade --group tools -o requirements/tools.txt
	@$(UV) $(COMPILE) --upgrade --group dagster -o requirements/dagster.txt
	@$(UV) $(COMPILE) --upgrade --group airflow -o requirements/airflow.txt
	@$(UV) $(COMPILE) --upgrade --extra postgresql --extra ses --extra s3 pyproject.toml -o requirements/image.txt
	@$(UV) $(COMPILE) --upgrade --group build -o requirements/build.txt
	@echo uv | $(UV) $(COMPILE) --upgrade - -o requirements/uv.txt

newest: ## The quick tests with the newest versions that are allowed
	@$(MAKE) --no-print-directory quick VENV=.venv-newest RESOLUTION=highest

lowest: ## The quick tests with the lowest versions that are allowed
	@$(MAKE) --no-print-directory quick VENV=.venv-lowest RESOLUTION=lowest-direct

clean: ## Remove the environments and what was made; not .meltano
	@rm -rf .venv .venv-* output/demo build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml requirements/dev.txt requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one: make PYTHON=python3.12")'
	@echo 'Making the environment in $(VENV)'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/uv.txt
ifdef RESOLUTION
	@$(UV) pip install -q --python $(BIN)/python --resolution $(RESOLUTION) --editable '.[sandbox]' --group dev
	@$(BIN)/python requirements/moved.py
else
	@$(UV) pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation --editable .
endif
	@touch $(READY)

$(TOOLS)/.ready: requirements/tools.txt | $(READY)
	@echo 'Making the environment in $(TOOLS)'
	@$(PYTHON) -m venv --clear $(TOOLS)
	@$(UV) pip install -q --python $(TOOLS)/bin/python --require-hashes -r requirements/tools.txt
	@touch $(TOOLS)/.ready

$(ENGINES): .venv-%/.ready: requirements/%.txt | $(READY)
	@echo 'Making the environment in .venv-$*'
	@$(PYTHON) -m venv --clear .venv-$*
	@$(UV) pip install -q --compile-bytecode --python .venv-$*/bin/python --require-hashes -r requirements/$*.txt
	@touch $@
