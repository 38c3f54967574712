# `make chat` on a fresh clone: install, index seeds/, serve the chat. `make test`: install, run every test.
PYTHON ?= python3
BIN := .venv/bin
Q ?= who controls Idlib?

.PHONY: chat ask index test check format bench clean help

chat: index           ## index seeds/ and serve the chat page on this machine
	@$(BIN)/pincite chat

ask: index            ## print a cited answer: make ask Q="who controls Idlib?"
	@$(BIN)/pincite ask "$(Q)"

index: .venv/installed
	@$(BIN)/pincite index

test: .venv/installed-dev  ## run every test
	$(BIN)/python -m pytest

check: .venv/installed-dev ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed   ## Pincite and its peers on the same documents: make bench DATA="squad.json folder"
	$(BIN)/python -m benchmarks.peers $(DATA) --json .bench/results.json

format: .venv/installed-dev ## put the code into its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:                ## remove the virtual environment and the index
	rm -rf .venv .pincite build *.egg-info

help:                 ## show this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/installed-dev: pyproject.toml .venv/installed
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing into .venv; the first time this takes a few minutes."
	$(PYTHON) -m venv .venv
