# Everything runs inside .venv, which any target makes and keeps up to date by itself.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := cli consumer dispatcher event_platform mock_eventgate mock_mediawiki model_server revert_risk schemas charts requirements tests
T ?=

.DEFAULT_GOAL := help

.PHONY: help
help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

# torch comes first and by its exact version: a CPU build is found where an index or find-links offers one,
# and a range would bring CUDA packages of several gigabytes.
$(STAMP): pyproject.toml requirements/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint requirements/constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --constraint requirements/constraints.txt --editable '.[dev]'
	touch $@

.PHONY: constraints
constraints: $(STAMP)  ## note the exact versions of everything that is installed
	{ echo "# Exact versions of everything, by \`make constraints\`."; echo torch==2.13.0; \
	  $(BIN)/pip freeze --exclude-editable | grep -vi '^torch=='; } > requirements/constraints.txt

.PHONY: dev
dev: $(STAMP)  ## create .venv from the constraints file and install the git hooks
	$(BIN)/pre-commit install

.PHONY: run
run: $(STAMP)  ## everything on loopback: sample events through both models into the mock EventGate, live
	$(BIN)/revertrisk demo

.PHONY: check
check: $(STAMP)  ## formatting, lint, types, import rules, unit and contract tests
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/unit tests/contract

.PHONY: lint
lint: $(STAMP)  ## formatting, lint, types and import rules only
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: test
test: $(STAMP)  ## every test but bench and load; T=tests/unit/dispatcher narrows it
	$(BIN)/pytest $(T)

.PHONY: fmt
fmt: $(STAMP)  ## format, and fix what ruff can fix
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

$(BIN)/helm: charts/tools/get_helm.py | $(STAMP)
	$(BIN)/python charts/tools/get_helm.py $(BIN)

$(BIN)/promtool: | $(STAMP)
	charts/tools/get_promtool.sh $(BIN)

.PHONY: chart
chart: $(BIN)/helm $(BIN)/promtool  ## render and check the chart, its alerts and the image files
	$(BIN)/pytest tests/contract/chart tests/contract/images

.PHONY: image
image:  ## build the images with buildah (root; apt-get install buildah debootstrap)
	.pipeline/build_images.sh

DATA ?= ../shared/data/edits
MODELS := revertrisk-language-agnostic revertrisk-multilingual
.PHONY: models $(MODELS)
models: $(MODELS)  ## train both models and write their artefacts and cards; -j2 for both at once
$(MODELS): $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/revertrisk train --data $(DATA) --model $@ --out revert_risk/artifacts/$@ --splits 5

.PHONY: ci
ci: lint $(BIN)/helm $(BIN)/promtool test  ## what continuous integration runs

.PHONY: readme
readme: $(STAMP)  ## write the outputs in the README anew
	UPDATE_README=1 $(BIN)/pytest tests/contract/docs/test_readme.py
