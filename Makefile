# make env    .venv with what a run needs: requirements/run.lock and workflow.lock
# make demo   the toy benchmark, from nothing to results/toy/report.html
# make test   the tests, with test.lock     make lint   format, lint, types, workflow, site, with lint.lock     make clean
# make docs   the documentation site, build/site/index.html, with docs.lock
# make numeric   the tests of numbers, as two older processors compute them (numeric-sse, numeric-avx2)
# make fuzz   ten thousand mutations of every format that others write
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: env demo docs fuzz test numeric numeric-sse numeric-avx2 lint clean help

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
CORES  ?= all
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder
export PATH := $(CURDIR)/$(BIN):$(PATH)

help:
	@sed -n 's/^# //p' Makefile

env: $(INSTALLED)

## bytecode on every core instead of by pip; without it each job that may not write its own compiles torch anew. Of the hundreds of
## models of transformers and diffusers those that are read here
SKIPPED := /tests?/|/testing/_internal/|/pip/|/diffusers/(pipelines|models)/[a-z]|/transformers/models/(?!auto|t5|clip|bert|distilbert|qwen)[a-z]
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '$(SKIPPED)' $(VENV)/lib

$(INSTALLED): requirements/run.lock requirements/workflow.lock pyproject.toml
	@test -x $(BIN)/pip || sh envs/venv.sh $(PYTHON) $(VENV)
	$(PIP) -r requirements/run.lock -r requirements/workflow.lock
	$(PIP) --no-deps --no-build-isolation -e .
	$(COMPILE) motionrft
	@touch $@

## what the tests and the linters need besides
$(INSTALLED)-%: requirements/%.lock $(INSTALLED)
	$(PIP) -r $<
	$(COMPILE)
	@touch $@

demo: env
	$(BIN)/snakemake --cores $(CORES)

## a worker a core with one thread each: small tensors gain nothing from more
test: $(INSTALLED)-test
	OMP_NUM_THREADS=1 $(PYTEST) $(ARGS)

## sums in another order: the instruction sets of torch, MKL, oneDNN and OpenBLAS limited, one thread and two
NUMERIC := $(addprefix tests/,motion networks diffusion backbones reward finetune evaluation text training reference)
## those that start processes of their own compute nothing else
NUMERIC += -m 'not processes'
SSE  := ATEN_CPU_CAPABILITY=default MKL_ENABLE_INSTRUCTIONS=SSE4_2 MKL_CBWR=COMPATIBLE ONEDNN_MAX_CPU_ISA=SSE41 OPENBLAS_CORETYPE=Nehalem
AVX2 := ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2 MKL_CBWR=AVX2 ONEDNN_MAX_CPU_ISA=AVX2 OPENBLAS_CORETYPE=Haswell
CAPABILITY := $(BIN)/python -c 'import sys, torch; got = torch.backends.cpu.get_cpu_capability(); sys.exit(got != sys.argv[1] and "torch computes with " + got)'

numeric: numeric-sse numeric-avx2

numeric-sse: $(INSTALLED)-test
	$(SSE) $(CAPABILITY) DEFAULT
	$(SSE) OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive $(PYTEST) $(NUMERIC)

numeric-avx2: $(INSTALLED)-test
	$(AVX2) $(CAPABILITY) AVX2
	$(AVX2) OMP_NUM_THREADS=1 $(PYTEST) $(NUMERIC)

## every format that others write, mutated: a night instead of the seconds it has in `make test`
fuzz: $(INSTALLED)-test
	FUZZ_EXAMPLES=$(or $(FUZZ_EXAMPLES),10000) $(BIN)/python -m pytest --timeout 7200 tests/fuzz

## strict: a link or a name that leads nowhere is an error
docs: $(INSTALLED)-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

lint: $(INSTALLED)-lint docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

clean:
	rm -rf $(VENV) .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
