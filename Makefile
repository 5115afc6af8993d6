# make          set up .venv and rebuild every table and figure (mini tier, minutes on two cores)
# make test     the tests, with one small run of every paper; make test-all   all of them: the default run, kills, real data ...
# make bench    the benchmarks, into results/bench;  make bench-page  what they measured, into docs/benchmarks.csv and .md
# make bench-gpu      the scorer on a GPU: candidates an hour, share of its matrix products (MODEL=folder: that model too)
# make slurm    add to .venv what running on Slurm needs
# make lint     ruff, snakefmt, snakemake --lint
# make audit    known vulnerabilities of our pins, where the package index tells them
# make lock     requirements.lock from envs/*.yaml
# make clean    remove results and built environments, keep .venv and downloads;  make distclean removes those too
#
# PYTHON=python3.12   the interpreter to set up with (3.11 or newer)
# CORES=4             cores for Snakemake (default: all)
# TIER=laptop         settings of config/tiers (default: mini); MIRROR=folder   where the tier's data lie, without network
# TARGET="nuggets_table_1 report"   what to build (default: everything)
# AUDIT_IGNORE="PYSEC-2026-1"   vulnerabilities that do not concern us
# PYTEST_ARGS="tests/unit -k score"  which tests (default: all)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := run
.PHONY: run venv slurm test test-all bench bench-gpu bench-page lint lint-code lint-format lint-rules lint-workflow audit lock clean distclean

PYTHON ?= python3
CORES ?= all
TIER ?= mini
MIRROR ?=
TARGET ?=
PYTEST_ARGS ?=
AUDIT_IGNORE ?=
# The environments that share .venv, in the lock's order; the others clash with them and get a venv of their own.
SHARED_ENVS := workflow data lm report dev
LOCK_PYTHONS ?= python3.11 python3.12 python3.13
BENCHMARKS ?= scorer ddg_gradient_matching ddg_icl step_by_step_training delift_kernel facility_location mend_evaluation mend_training

# Relative paths only: a checkout may lie in a folder with spaces in its name. Commands run as modules of .venv's Python
# because the scripts in .venv/bin break when a checkout is moved. Steps find `python` through PATH.
VENV_PYTHON := .venv/bin/python
PIP_INSTALL := $(VENV_PYTHON) -m pip install --quiet --quiet --disable-pip-version-check --compile
# Snakemake keeps a cache in the home folder; where that cannot be written, it goes beside its other records.
MODEL ?=
ACTIVATE := export PATH="$$PWD/.venv/bin:$$PATH" VIRTUAL_ENV="$$PWD/.venv"; unset PYTHONHOME PYTHONPATH; \
  mkdir -p "$${XDG_CACHE_HOME:-$$HOME/.cache}" 2> /dev/null || export XDG_CACHE_HOME="$$PWD/.snakemake/cache";

COMMA := ,
TIER_FLAGS = $(if $(filter-out mini,$(TIER)),--configfile config/tiers/$(TIER).yaml) \
  $(if $(MIRROR),--config data='{source: mirror$(COMMA) mirror: $(MIRROR)}')

run: venv
	@$(ACTIVATE) python -m snakemake --cores $(CORES) $(TARGET) $(TIER_FLAGS)
	@echo
	@echo "Report:  results/$(TIER)/report.html"
	@echo "Tables:  results/$(TIER)/tables    Figures:  results/$(TIER)/figures"
	@echo "Numbers: results/$(TIER)/metrics.csv    Beside the published ones: results/$(TIER)/comparison.csv"

# Done once for each content of the lock: the copy in .venv is written last, so an interrupted set-up is taken up again.
# A .venv that works is brought up to date in place and never wiped, as something may be running in it.
venv:
	@if ! cmp -s requirements.lock .venv/requirements.lock || [ ! -e .venv/bin/thrift ]; then \
	  if ! $(VENV_PYTHON) -c 'import pip' 2> /dev/null; then \
	    if ! command -v "$(PYTHON)" > /dev/null; then \
	      echo "error: no $(PYTHON) here; install Python 3.11 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; fi; \
	    if ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	      echo "error: thrift needs Python 3.11 or newer, $(PYTHON) is $$("$(PYTHON)" -V 2>&1); name another: make PYTHON=python3.12" >&2; exit 1; fi; \
	    if ! "$(PYTHON)" -c 'import ensurepip, venv' 2> /dev/null; then \
	      echo "error: $(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; fi; \
	    echo "Setting up .venv with $$("$(PYTHON)" -V) (about two minutes, once)"; \
	    "$(PYTHON)" -m venv --clear .venv; \
	  fi; \
	  $(PIP_INSTALL) -r requirements.lock || { \
	    echo "error: .venv could not be set up; pip's message above says why (without network, point PIP_FIND_LINKS at a folder of wheels)" >&2; exit 1; }; \
	  $(PIP_INSTALL) --no-deps --no-build-isolation --editable .; \
	  cp requirements.lock .venv/requirements.lock.new; \
	  mv .venv/requirements.lock.new .venv/requirements.lock; \
	fi

slurm: venv
	@$(PIP_INSTALL) $$(sed -n 's/^ *- \([^ ]*==[^ ]*\)$$/\1/p' envs/slurm.yaml)

# Two processes share the tests, the longest files first; those of one whole run stay together (tests/e2e/conftest.py).
RUNS := tests/e2e/test_tiny.py tests/e2e/test_published_without_gpu.py
test: venv
ifeq ($(PYTEST_ARGS),)
	@$(ACTIVATE) python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder tests/workflow tests/steps tests/unit
	@$(ACTIVATE) python -m pytest --numprocesses 2 --dist loadscope $(RUNS)
else
	@$(ACTIVATE) python -m pytest $(PYTEST_ARGS)
endif

# It adds the tests that tests/long.py marks, and all runs.
test-all: export THRIFT_LONG := 1
test-all: RUNS := tests/e2e
test-all: test

bench: venv
	@if [ ! -d .venvs/bench ]; then echo "Setting up .venvs/bench (about two minutes, once)"; fi
	@$(ACTIVATE) PIP_QUIET=2 python -m scripts.make_venv --environment envs/bench.yaml --venv-out .venvs/bench
	@mkdir -p results/bench
	@for name in $(BENCHMARKS); do \
	  echo "Benchmark $$name (log: results/bench/$$name.log)"; \
	  .venvs/bench/bin/python -m scripts.bench.$$name --metrics-out results/bench/$$name.json 2>&1 | tee results/bench/$$name.log; \
	done

# On one GPU, some five minutes; MODEL: a folder of a model of your own, measured beside the random one.
bench-gpu: venv
	@mkdir -p results/bench
	@$(ACTIVATE) python -m scripts.bench.gpu_scorer --metrics-out results/bench/gpu_scorer.json $(MODEL:%=--model %)

bench-page: venv
	@$(ACTIVATE) python -m scripts.report.collect_benchmarks --results results/bench/*.json \
	  --benchmarks docs/benchmarks.csv --benchmarks-out docs/benchmarks.csv
	@$(ACTIVATE) python -m scripts.report.write_benchmarks_page --benchmarks docs/benchmarks.csv --page-out docs/benchmarks.md

lint: lint-code lint-format lint-rules lint-workflow

lint-code: venv
	@$(ACTIVATE) python -m ruff check .

lint-format: venv
	@$(ACTIVATE) python -m ruff format --check .

lint-rules: venv
	@$(ACTIVATE) snakefmt --check Snakefile rules

lint-workflow: venv
	@$(ACTIVATE) python -m snakemake --lint

audit: venv
	@$(ACTIVATE) python -m scripts.make_venv --environment envs/audit.yaml --venv-out .venvs/audit > /dev/null 2>&1 \
	  || { echo "audit: not done: pip-audit could not be installed"; exit 0; }; \
	  python -m scripts.audit --requirements requirements.lock --python .venvs/audit/bin/python \
	  --ignore $(AUDIT_IGNORE)

lock: venv
	@$(ACTIVATE) python -m scripts.make_lock --environments $(SHARED_ENVS:%=envs/%.yaml) \
	  --pythons $(LOCK_PYTHONS) --lock-out requirements.lock

clean:
	rm -rf .venvs .snakemake .pytest_cache .ruff_cache .hypothesis logs benchmarks
	find results -mindepth 1 -maxdepth 1 ! -name README.md ! -name downloads -exec rm -rf {} +

distclean: clean
	rm -rf .venv *.egg-info results/downloads
