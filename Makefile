# Two commands: `make train` sets up and runs the main job, `make test` sets up and tests.
# The first Python that runs is taken, 3.12 or newer before 3.11: it has the newer JAX, whose
# convolutions on a CPU are 2 to 4 times faster.
PYTHON ?= $(shell for p in python3.13 python3.12 python3 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# The oldest supported one, also where pyenv has it but does not show it.
OLDEST ?= $(shell PYENV_VERSION=3.11 python3.11 -c 'import sys; print(sys.executable)' 2>/dev/null \
	|| echo $(PYTHON))
VENV := .venv
BIN := $(VENV)/bin

.PHONY: train reproduce test test-oldest lint docs bench verify clean

train: $(VENV)/ready-to-train
	$(BIN)/python -m experiments.train p4cnn

# The table of rotated MNIST, all seeds: hours. One seed of one row: make reproduce ROWS=p4cnn SEEDS=1
reproduce: $(VENV)/ready-to-train
	$(BIN)/python -m experiments.reproduce $(if $(ROWS),--rows $(ROWS)) $(if $(SEEDS),--seeds $(SEEDS))

# A worker that crashes ends the tests, named: xdist may wait for ever for one that replaces it.
PYTEST := -m pytest -q -n auto --dist loadfile --max-worker-restart 0

test: $(VENV)/ready-to-test
	$(BIN)/python $(PYTEST)

# The library on the oldest supported versions: everything but what no user's model touches.
test-oldest: $(VENV)-oldest/ready
	$(VENV)-oldest/bin/python $(PYTEST) -m "not newest"

lint: $(VENV)/ready-to-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/ready-to-test
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build

# Our layers against plain ones, some twenty minutes: runs/convolution/page.md. A minute of it:
# make bench QUICK=1. With escnn beside: make bench ESCNN=escnn-env/bin/python (CONTRIBUTING.md).
bench: $(VENV)/ready-to-train
	$(BIN)/python -m benchmarks.convolution $(if $(QUICK),--quick) $(if $(ESCNN),--escnn $(ESCNN))

verify: $(VENV)/ready-to-train
	$(BIN)/python -m gcnn verify

clean:
	rm -rf $(VENV) $(VENV)-oldest docs/_build .pytest_cache .mypy_cache .ruff_cache .jax_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "gcnn needs Python 3.11 or newer, and found none"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/ready-to-train: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[experiments]'
	touch $@

$(VENV)/ready-to-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[test]'
	touch $@

$(VENV)-oldest/ready: pyproject.toml
	$(OLDEST) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install -q uv
	$(VENV)-oldest/bin/uv pip install -q --python $(VENV)-oldest/bin/python \
		--resolution lowest-direct -e '.[test]'
	touch $@
