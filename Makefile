PYTHON   ?= python3
# What `make demo` trains on.
DEMO_ENV ?= Tape-Reverse-v0

VENV := .venv
BIN  := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install lint test test-slow demo bench docs clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A stamp file says which extras are installed, so that a second call takes no time. Compiling every
# package to bytecode would double the time; Python does it for the modules that get imported.
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable ".[$*]"
	@touch $@

# pip is the last thing that venv installs: without it the environment is not whole.
$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

install: $(VENV)/.installed-dev ## install everything that the tests and linters need into .venv

lint: install ## check style, format, layers and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

test: lint ## install, lint and run the fast tests
	$(BIN)/pytest -n 2

test-slow: install ## run the tests that need minutes
	$(BIN)/pytest -m slow

demo: $(VENV)/.installed-agents ## train an agent with memory, evaluate it and show what its memory did
	$(BIN)/memory-envs train --env $(DEMO_ENV) --stop-at-success 0.95

bench: $(VENV)/.installed-agents,peers ## measure the speed against the peers
	$(BIN)/python -m benchmarks.throughput envs
	$(BIN)/python -m benchmarks.throughput training
	$(BIN)/python -m benchmarks.throughput rl_ntm

docs: $(VENV)/.installed-agents,docs ## build the documentation into docs/_build/html
	$(BIN)/sphinx-build --fail-on-warning --keep-going --builder html docs docs/_build/html

clean: ## remove what the tools left, but neither .venv nor runs/
	rm -rf build dist *.egg-info docs/_build .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find memory_envs agents benchmarks tests docs -name __pycache__ -type d -exec rm -rf {} +
