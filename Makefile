# `make sweep` and `make test` set up a virtual environment in .venv and do the rest; nothing else is needed
# but a Python >= 3.11 (PYTHON=python3.12 names another one).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= sweep-results
SWEEP ?= --suite smoke --time-limit 8 --grace 2
PYTEST ?=

.DEFAULT_GOAL := help
.PHONY: help sweep test check clean

help:
	@echo "make sweep   solve a suite of problems with karush and its peers, write $(OUT)/report/index.html"
	@echo "make test    run the tests"
	@echo "make check   linters, types, layers"
	@echo "make clean   remove $(VENV) and $(OUT)"

$(BIN)/python:
	$(PYTHON) -c "import sys; sys.exit('karush needs Python 3.11 or newer') if sys.version_info < (3, 11) else 0"
	$(PYTHON) -m venv $(VENV)

# The stamps name the extras that are installed; setup.cfg newer than a stamp installs again.
$(VENV)/sweep.stamp: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[peers,plot]'
	@touch $@

$(VENV)/test.stamp: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,peers,sequences,sklearn,plot,cutest,cvxpy,autograd,casadi]'
	@touch $@

$(VENV)/check.stamp: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

sweep: $(VENV)/sweep.stamp
	$(BIN)/karush sweep $(SWEEP) --out $(OUT)

test: $(VENV)/test.stamp
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST)

check: $(VENV)/check.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) $(OUT)
