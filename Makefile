# What a newcomer and a contributor run. The first target that needs it creates .venv and installs the pins of
# constraints.txt; nothing touches the network afterwards.
#
#   make demo                    index, ask, compare λ, plot the curve          (out/demo)
#   make test | test-all         the quick suite | every case at full count
#   make check                   lint, types, layers and generated docs
#   make demo TORCH_INDEX=URL    take PyTorch from its own CPU or CUDA index (pytorch.org lists them); the
#                                choice is made once, when .venv is filled
#   make test PYTHON=python3.12  create .venv with this interpreter

PYTHON ?= python3 python3.13 python3.12 python3.11
TORCH_INDEX ?=
WORKERS ?= 2
PYTEST_ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
# Named after the checkout's place: in a clone that was moved the editable install points to the old one, and
# is made again. For the same reason tools are run as modules, not through scripts that hold a path.
PLACE := $(shell pwd -P | cksum | cut -d ' ' -f 1)
BASE := $(VENV)/.base-$(PLACE)
DEV := $(VENV)/.dev-$(PLACE)
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Spinning worker threads cost 6× when a core is busy.
export OMP_WAIT_POLICY ?= PASSIVE
export HF_HUB_OFFLINE ?= 1
export RAGAS_DO_NOT_TRACK ?= true
export TOKENIZERS_PARALLELISM ?= false

.PHONY: demo test test-all check lint types layers docs docs-check format clean
.DELETE_ON_ERROR:
# Two targets asked for at once share one environment.
.NOTPARALLEL:

demo: $(BASE)
	$(VENV)/bin/dera-rag demo --out out/demo

test: $(DEV)
	$(PY) -m pytest --numprocesses $(WORKERS) $(PYTEST_ARGS)

test-all: $(DEV)
	$(PY) -m pytest --full --numprocesses $(WORKERS) $(PYTEST_ARGS)

check: lint types layers docs-check

lint: $(DEV)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(DEV)
	$(PY) -m mypy

layers: $(DEV)
	$(PY) -c 'from importlinter.cli import lint_imports_command as run; run()' --no-logo --no-cache

docs: $(DEV)
	$(PY) .ci/docs.py

docs-check: $(DEV)
	$(PY) .ci/docs.py --check

format: $(DEV)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean:
	rm -rf $(VENV) out build dist *.egg-info .mypy_cache .ruff_cache

$(PY):
	@for python in $(PYTHON); do \
	  if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
	    echo "creating $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv $(VENV) && exit 0; \
	    rm -rf $(VENV); exit 1; \
	  fi; \
	done; \
	echo "Python 3.11, 3.12 or 3.13 is needed and none of these is one: $(PYTHON)" >&2; \
	echo "say where yours is: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
	exit 1

# $(1): the extras. With TORCH_INDEX, torch alone comes from there: that index has no other pin of ours.
define install
@echo "installing dera-rag$(1) from constraints.txt, once; this takes a few minutes"
$(if $(TORCH_INDEX),$(PIP) --no-deps --index-url $(TORCH_INDEX) torch)
$(PIP) --editable '.$(1)'
@rm -f $(VENV)/.base-* $(VENV)/.dev-*
@touch $@
endef

$(BASE): pyproject.toml constraints.txt | $(PY)
	$(call install,)

$(DEV): pyproject.toml constraints.txt | $(PY)
	$(call install,[all$(comma)dev])
	@touch $(BASE)

comma := ,
