# The few commands people type. Each runs in an environment of its own, created from pinned versions on first use.
PYTHON ?= python3
EXTRA ?= cpu
ARGS ?=
CONSTRAINTS ?= $(if $(findstring tensorrt8,$(EXTRA)),constraints-tensorrt8.txt,constraints.txt)

comma := ,
# One environment per choice of extras and Python: .venv for the default, else for example .venv-tensorrt8-py310.
VERSION := $(shell $(PYTHON) -c 'import sys; print("py%d%d" % sys.version_info[:2])' 2>/dev/null)
EXTRA_PART := $(if $(filter cpu,$(EXTRA)),,-$(subst $(comma),-,$(EXTRA)))
VENV ?= $(if $(filter cpu/python3,$(EXTRA)/$(PYTHON)),.venv,.venv$(EXTRA_PART)-$(VERSION))
STAMP := $(VENV)/.installed$(EXTRA_PART)-$(VERSION)
RUN := $(VENV)/bin/python -m
INSTALL = $(RUN) pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e

define CHECK_PYTHON
import sys
if sys.version_info < (3, 10): sys.exit("Python 3.10 or newer is needed; set PYTHON=")
if "tensorrt8" in "$(EXTRA)" and sys.version_info >= (3, 12): sys.exit("TensorRT 8.6 has packages for Python 3.10 and 3.11 only; set PYTHON=python3.10")
endef
export CHECK_PYTHON

.PHONY: help conformance test test-all gpu rebuild compare lint doctor docs-tables clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'EXTRA=tensorrt, tensorrt10 or tensorrt8 installs TensorRT; PYTHON= chooses the interpreter; ARGS= goes to pytest.'

conformance: $(STAMP) ## run every case on every target that works on this machine
	@$(RUN) trt_conformance.cli doctor --brief
	@$(RUN) pytest cases $(ARGS)

test: $(STAMP)-test ## run the harness's own tests, except the slow ones
	@$(RUN) pytest tests -n auto -m "not slow" $(ARGS)

test-all: $(STAMP)-test ## run all of the harness's own tests
	@$(RUN) pytest tests -n auto $(ARGS)

gpu: $(STAMP) ## run every case; fail if there is no GPU
	@$(RUN) pytest cases --require-gpu $(ARGS)

rebuild: $(STAMP) ## build cases many times, and judge every engine: ARGS="--target tensorrt"
	@$(RUN) trt_conformance.cli rebuild $(ARGS)

compare: $(STAMP) ## list what changed: ARGS="BASE NEW"; ARGS="NEW --gate" fails on a regression from the accepted run
	@$(RUN) trt_conformance.cli compare $(ARGS)

lint: $(STAMP)-dev ## run ruff, mypy and the import contracts
	@$(RUN) ruff check . && $(RUN) ruff format --check . && $(RUN) mypy && $(VENV)/bin/lint-imports

doctor: $(STAMP) ## show what this machine has, and how to get what is missing
	@$(RUN) trt_conformance.cli doctor

# Advice names the command that was typed, with another EXTRA=.
conformance gpu rebuild compare doctor: export TRT_CONFORMANCE_MAKE = make $@$(if $(filter python3,$(PYTHON)),, PYTHON=$(PYTHON))

# An environment of other extras or another Python is cleared, never mixed with this one.
$(STAMP): pyproject.toml $(CONSTRAINTS)
	@command -v $(PYTHON) >/dev/null || { echo "PYTHON=$(PYTHON): there is no such program" >&2; exit 1; }
	@$(PYTHON) -c "$$CHECK_PYTHON"
	$(PYTHON) -m venv $(if $(wildcard $(STAMP)),,--clear) $(VENV)
	$(INSTALL) '.[$(EXTRA)]'
	@touch $@

$(STAMP)-test: $(STAMP)
	$(INSTALL) '.[$(EXTRA),cpu,test]'
	@touch $@

$(STAMP)-dev: $(STAMP)
	$(INSTALL) '.[$(EXTRA),dev]'
	@touch $@

docs-tables: $(STAMP) ## write the docs' tables of published runs from their records
	@$(RUN) trt_conformance.results.report.published

clean: ## remove the environments and caches
	rm -rf .venv .venv-*py3* .pytest_cache .mypy_cache .ruff_cache .hypothesis
