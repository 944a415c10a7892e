# The few commands people type. Everything runs in .venv, made on first use from pinned versions.
PYTHON ?= python3
VENV ?= .venv
EXTRA ?=
CONSTRAINTS ?= $(if $(findstring tensorrt8,$(EXTRA)),constraints-tensorrt8.txt,constraints.txt)
RUN := $(VENV)/bin/python -m
STAMP := $(VENV)/.installed$(if $(EXTRA),-$(EXTRA))

.PHONY: conformance test gpu compare lint doctor clean

conformance: $(STAMP) ## the main job: every case on every target that works on this machine
	@$(RUN) trt_conformance.cli doctor --brief
	@$(RUN) pytest cases $(ARGS)

test: $(STAMP) ## the harness's own tests, and the suite on this machine's targets
	@$(RUN) pytest -n auto $(ARGS)

gpu: $(STAMP) ## the main job, failing where no GPU is found
	@$(RUN) pytest cases --require-gpu $(ARGS)

compare: $(STAMP) ## what changed between two runs: ARGS="BASE NEW"; ARGS="NEW --gate" stops on a regression from the accepted run
	@$(RUN) trt_conformance.cli compare $(ARGS)

lint: $(STAMP) ## ruff, mypy and the import contracts
	@$(RUN) ruff check . && $(RUN) ruff format --check . && $(RUN) mypy && $(VENV)/bin/lint-imports

doctor: $(STAMP) ## what this machine has
	@$(RUN) trt_conformance.cli doctor

$(STAMP): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[dev$(if $(EXTRA),$(comma)$(EXTRA))]'
	@touch $@

comma := ,

clean: ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
