# Everything a fresh machine needs: `make demo` shows it, `make test` tests it.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
INTEROP = .venv-interop

.PHONY: demo test ordinary laboratory check docs bench starts table soak system interop
.PHONY: clean
.NOTPARALLEL:

demo: $(READY) system
	$(BIN)/python -m tests.lab --demo

test: ordinary laboratory

# Side by side, but for what needs the machine to itself: processes.
ALONE = $(wildcard tests/bench tests/cli/test_tap*.py tests/*/*_processes.py)

ordinary: $(READY) system
	$(BIN)/python -m pytest -q -n auto $(addprefix --ignore=,tests/lab $(ALONE))
	$(BIN)/python -m pytest -q $(ALONE)

# Namespaces, which only root can make; what waits more than it works, four at a time.
WAITING = tests/lab/test_check.py tests/lab/test_pairs.py

laboratory: $(READY) system
	$(BIN)/python -m pytest -q -n 4 $(WAITING)
	$(BIN)/python -m pytest $(addprefix --ignore=,$(WAITING)) tests/lab

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/python -m sphinx -W -q -b html docs docs/_build/html

# Kinds of NAT, all pairs, ten times each; needs root.
table: $(READY) system
	$(BIN)/python -m tests.lab --table --runs 10

# Where fowl is installed in an environment of its own, FOWL=its python compares it.
bench: $(READY)
	$(BIN)/python -m tests.bench.rendezvous
	$(BIN)/python -m tests.bench.relayed
	$(BIN)/python -m tests.bench.forward $(if $(FOWL),--fowl $(FOWL))

# Two hundred pairs, one after another: none may hang.
starts: $(READY)
	$(BIN)/python -m tests.bench.starts

# Twenty thousand meetings in memory, and as many links whose paths die again and again,
# each of its own seed; a gigabyte each way, and ten thousand connections, through a
# forward.
soak: $(READY)
	PUNCH_SOAK=20000 $(BIN)/python -m pytest -n auto tests/whole/test_soak.py \
		tests/whole/test_endurance.py tests/link/test_paths_soak.py
	PUNCH_SOAK=1 $(BIN)/python -m pytest tests/cli/test_tap_load.py

# Our yamux with py-libp2p's, which has an environment of its own.
interop: $(READY) $(INTEROP)/.ready
	PUNCH_YAMUX_PEER=$(INTEROP)/bin/python $(BIN)/python -m pytest tests/yamux/test_interop.py

$(INTEROP)/.ready:
	$(PYTHON) -m venv $(INTEROP)
	$(INTEROP)/bin/python -m pip install -q 'libp2p >= 0.8.1'
	touch $@

$(READY): setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip setuptools
	$(BIN)/python -m pip install -q -e '.[dev]' --config-settings editable_mode=compat
	touch $@

# What the laboratory needs of the system, where we may install it.
system:
	@sh tests/lab/install.sh

clean:
	rm -rf $(VENV) $(INTEROP) build dist docs/_build *.egg-info
