# Plain GNU make; needs python3 (3.11 or later) and a package registry. `make` alone lists the targets.
# Paths are relative, so the folder's own name may hold spaces.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo playground test quick lint bench clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

demo: $(READY) ## Four providers to PostgreSQL and on to Mailjet by Meltano, on a local sandbox: no account needed
	@$(BIN)/python examples/demo/demo.py

playground: $(READY) ## A shell to try the examples in: a local sandbox, PostgreSQL and Meltano; no account needed
	@$(BIN)/python examples/demo/playground.py

test: $(READY) ## The whole test suite
	@$(BIN)/python -m pytest -n 2 --dist worksteal

quick: $(READY) ## The tests that take no more than a few seconds each
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow'

lint: $(READY) ## Style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@MYPYPATH=examples/demo $(BIN)/mypy examples/demo/demo.py examples/demo/playground.py

bench: $(READY) ## Ratios to an ordinary tap and target; takes several minutes
	@$(BIN)/python benchmarks/bench_tap.py
	@$(BIN)/python benchmarks/bench_target.py
	@$(BIN)/python benchmarks/bench_tap.py --latency
	@$(BIN)/python benchmarks/bench_tap.py --million
	@$(BIN)/python benchmarks/bench_snapshots.py
	@$(BIN)/python benchmarks/bench_calls.py
	@$(BIN)/python benchmarks/bench_target.py --million

clean: ## Remove the environment and what was made here; not .meltano, where state and journals are
	@rm -rf .venv output/demo build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one: make PYTHON=python3.12")'
	@echo 'Making the environment in .venv'
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check uv
	@$(BIN)/python -m uv pip install -q --compile-bytecode --python $(BIN)/python --editable '.[sandbox]' --group dev
	@touch $(READY)
