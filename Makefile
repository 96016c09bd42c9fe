# Everything a fresh machine needs: `make demo` shows it, `make test` tests it.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready

.PHONY: demo test check docs bench table soak system clean

demo: $(READY) system
	$(BIN)/python -m tests.lab --demo

test: $(READY) system
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/python -m sphinx -W -q -b html docs docs/_build/html

# Kinds of NAT, all pairs, ten times each; needs root.
table: $(READY) system
	$(BIN)/python -m tests.lab --table --runs 10

bench: $(READY)
	$(BIN)/python -m tests.bench.rendezvous

# Twenty thousand meetings in memory, each of its own seed.
soak: $(READY)
	PUNCH_SOAK=20000 $(BIN)/python -m pytest -n auto tests/whole/test_soak.py

$(READY): setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip setuptools
	$(BIN)/python -m pip install -q -e '.[dev]' --config-settings editable_mode=compat
	touch $@

# What the laboratory needs of the system, where we may install it.
system:
	@sh tests/lab/install.sh

clean:
	rm -rf $(VENV) build dist docs/_build *.egg-info
