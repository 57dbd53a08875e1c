# make env    .venv with every package of requirements.lock
# make demo   the toy benchmark, from nothing to results/toy/report.html
# make test   the tests           make lint   format, lint, types, workflow           make clean
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: env demo test lint clean help

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
CORES  ?= all
export PATH := $(CURDIR)/$(BIN):$(PATH)

help:
	@sed -n 's/^# //p' Makefile

env: $(STAMP)

## bytecode on every core instead of by pip; without it each job that may not write its own compiles torch anew
$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/pip || sh envs/venv.sh $(PYTHON) $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q -j 0 -x '/tests?/|/testing/_internal/' $(VENV)/lib motionrft
	@touch $@

demo: env
	$(BIN)/snakemake --cores $(CORES)
	@echo "open results/toy/report.html"

## a worker a core with one thread each: small tensors gain nothing from more
test: env
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

clean:
	rm -rf $(VENV) .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
