# Two commands: `make lab` opens the course, `make test` tests it.
PYTHON ?= python3
BIN := .venv/bin
LAB ?= labs/00_instrument_first.ipynb
export JUPYTER_PLATFORM_DIRS = 1
CI_EXTRAS := peers cluster hub

.PHONY: help python lab test setup test-setup lint unit labs browser peers cluster hub execute shots \
  fits gpu gpu-packages claims clean

help:
	@echo "make lab      set up what is missing, check this machine, open JupyterLab on lab 00"
	@echo "              (NO_BROWSER=1 prints the URL, PORT=8890 chooses the port)"
	@echo "make test     set up what is missing and run lint, unit tests, notebooks, browser tests"
	@echo "make browser  every lab in a real browser (make test opens the first, and the panel)"
	@echo "make peers    hold our engine against transformers and a real model (in CI, part of test)"
	@echo "make cluster  the tiers on Ray Serve, replicas killed (in CI, part of test)"
	@echo "make hub      two learners at a JupyterHub, each with lab 00 (in CI, part of test)"
	@echo "make execute  run the notebooks, store the outputs they should show, record the labs"
	@echo "make fits     does each lab run in 1 GB of memory on one core? (root, on Linux)"
	@echo "make gpu      on a machine with an NVIDIA GPU: check, time, record, in eight minutes, with what"
	@echo "              is installed (ONLY=\"tests paged\" some of it; without a GPU a dry run)"
	@echo "make shots    take the README's pictures in a browser"
	@echo "make clean    remove .venv and caches"

python:
	@command -v $(PYTHON) >/dev/null || { echo "constraintlab: there is no $(PYTHON) here: install \
	Python 3.11 or newer, or name yours: make lab PYTHON=/path/to/python3.12" >&2; exit 1; }

setup: python
	@$(PYTHON) .ci/install.py

test-setup: python
	@$(PYTHON) .ci/install.py test $(if $(CI),$(CI_EXTRAS))

lab: setup
	@$(BIN)/constraintlab doctor
	@$(BIN)/jupyter lab $(LAB) --LabApp.default_url=/lab/tree/$(LAB) $(if $(NO_BROWSER),--no-browser) $(if $(PORT),--port=$(PORT)) \
	  $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)

test: test-setup
	@bash .ci/chromium.sh
	@$(MAKE) --no-print-directory lint unit labs browser $(if $(CI),$(CI_EXTRAS),SHORT=1)

lint:
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

# Those start processes of their own and wait for each other: beside a neighbour they would be late.
ALONE := tests/unit/load tests/unit/serving tests/unit/bench/test_stream.py \
  tests/unit/course/test_streamed.py tests/unit/course/test_serving_stage.py \
  tests/unit/course/test_streaming_stage.py tests/unit/course/test_driver.py \
  tests/unit/course/test_tail_stage.py tests/unit/course/test_own_server.py \
  tests/unit/course/test_tier_cluster.py tests/unit/watch/test_real.py \
  tests/unit/gameday/test_faults.py tests/unit/scenarios/test_bed.py \
  tests/unit/room/test_sixty.py tests/unit/bench/test_real_stack.py

unit:
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto tests/unit tests/labs \
	  $(ALONE:%=--ignore=%) $(if $(SHORT),-m 'not long')
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q $(ALONE) $(if $(SHORT),-m 'not long')

# Notebooks and browser run with the network cut, where the system lets us cut it.
OFFLINE := bash .ci/offline.sh

# A lab measures, so it runs alone; a solution is only checked.
NBVAL := $(OFFLINE) $(BIN)/python -m pytest -q -p tests.conftest --nbval-lax --nbval-current-env \
  --nbval-cell-timeout=120 -p no:cacheprovider

labs:
	CONSTRAINTLAB_PRESET=ci $(NBVAL) --ignore=labs/solutions labs
	CONSTRAINTLAB_PRESET=ci $(NBVAL) -n auto --dist loadfile labs/solutions

peers:
	@$(PYTHON) .ci/install.py test $(if $(CI),$(CI_EXTRAS),peers)
	$(BIN)/python -m pytest -q tests/peers

cluster:
	@$(PYTHON) .ci/install.py test $(if $(CI),$(CI_EXTRAS),cluster)
	$(BIN)/python -m pytest -q tests/cluster

hub:
	@$(PYTHON) .ci/install.py test $(if $(CI),$(CI_EXTRAS),hub)
	$(BIN)/python -m pytest -q tests/hub

browser:
	$(OFFLINE) $(BIN)/python -m pytest -q tests/browser $(if $(SHORT),-m 'not long')

fits:
	$(BIN)/python .ci/fits.py $(ONLY)

shots:
	$(BIN)/python .ci/shots.py

execute:
	$(BIN)/python .ci/execute.py $(ONLY)
	@$(MAKE) --no-print-directory claims

# Our own .venv where there is one, else the machine's Python with what it has: no downloads.
GPU_PYTHON = PYTHONPATH=$(CURDIR)/lib $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))

gpu: python
	$(GPU_PYTHON) -m constraintlab.gpu $(if $(DRY_RUN),--dry-run) $(ONLY:%=--only %) $(ONTO:%=--onto %)

claims: python
	@$(GPU_PYTHON) -m constraintlab.gpu.claims README.md

# What recording the labs needs besides a plain CUDA machine's packages: to take along to it. A
# kernel's debugger and its completion of names are most of it, and optional.
WHEELS := _2_28 _2_17 2014 _2_12 2010 _2_5 1
gpu-packages: python
	$(PYTHON) -m pip install -q --target gpu-packages --only-binary :all: --python-version 3.12 \
	  --implementation cp $(WHEELS:%=--platform manylinux%_x86_64) -c .ci/constraints.txt \
	  --no-compile $(shell PYTHONPATH=lib $(PYTHON) -m constraintlab.gpu.packages)
	rm -rf gpu-packages/debugpy gpu-packages/jedi gpu-packages/bin
	@du -sh gpu-packages

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis
