PYTHON   ?= python3
# What `make test-wheel` installs the wheel alone for; by default the Python of .venv.
PYTHONS  ?=
# What `make demo` trains on.
DEMO_ENV ?= Tape-Reverse-v0

VENV := .venv
BIN  := $(VENV)/bin

# The directories of the tests whose outcome could depend on how a processor rounds.
NUMERIC := $(addprefix tests/,agents/cells agents/networks agents/algorithms agents/evaluation \
	memory_envs/test_*oracle*.py memory_envs/test_rng.py)
# Two older processors, as PyTorch, the two libraries under it, and Numba let one pretend: with
# SSE 4.2 alone, where no multiplication is fused with the addition after it, and with AVX2.
SSE4 := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_ENABLE_INSTRUCTIONS=SSE4_2 \
	MKL_CBWR=COMPATIBLE NUMBA_CPU_NAME=generic
AVX2 := ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2

.DEFAULT_GOAL := help
.PHONY: help install lint test test-portable test-slow test-wheel peers demo bench docs clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

# AVX2 is older than AVX-512 alone; other processors, arm64 among them, do not know that name.
test-portable: install ## run the numeric tests as older processors would
	$(SSE4) $(BIN)/pytest -n 2 $(NUMERIC)
	@if $(BIN)/python -c 'import sys, torch; sys.exit("AVX512" not in torch.backends.cpu.get_cpu_capability())'; \
	then $(AVX2) $(BIN)/pytest -n 2 $(NUMERIC); fi

test-slow: install ## run the tests that need minutes
	$(BIN)/pytest -m slow

test-wheel: install ## build the wheel and try it in fresh environments
	$(BIN)/python -m tests.wheel $(PYTHONS)

# They want other versions of what .venv has: RLlib pins Gymnasium.
peers: ## score, check and train agents of TorchRL, RLlib, Tianshou and JAX, in an environment of their own
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --editable ".[agents]" pytest \
		torchrl==0.14.1 tianshou==2.0.1 "ray[rllib]==2.60.0" jax==0.10.2 sb3-contrib==2.9.2
	.venv-peers/bin/python -m pytest tests/third_party/test_peers.py tests/third_party/test_peer_recipes.py

demo: $(VENV)/.installed-agents ## train an agent with memory, evaluate it and show what its memory did
	$(BIN)/memory-envs train $(DEMO_ENV) --stop-at-success 0.95

bench: $(VENV)/.installed-agents,peers ## measure the speed against the peers
	$(BIN)/python -m benchmarks.throughput envs
	$(BIN)/python -m benchmarks.throughput training
	$(BIN)/python -m benchmarks.throughput memory
	$(BIN)/python -m benchmarks.throughput cells
	$(BIN)/python -m benchmarks.throughput rl_ntm
	$(BIN)/python -m benchmarks.throughput text

docs: $(VENV)/.installed-agents,docs ## build the documentation into docs/_build/html, check its links
	$(BIN)/sphinx-build --fail-on-warning --keep-going --builder html docs docs/_build/html
	$(BIN)/sphinx-build --fail-on-warning --quiet --builder linkcheck --doctree-dir docs/_build/html/.doctrees docs docs/_build/linkcheck

clean: ## remove what the tools left, but neither .venv nor runs/
	rm -rf build dist *.egg-info docs/_build .hypothesis .numba_cache .mypy_cache .pytest_cache .ruff_cache
	find memory_envs agents benchmarks tests docs -name __pycache__ -type d -exec rm -rf {} +
