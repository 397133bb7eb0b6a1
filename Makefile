# Everything runs inside .venv, which any target makes and keeps up to date by itself.
VENV := .venv
# Those that run: pyenv has commands without a Python behind them, and Debian's packages bring venv apart.
PYTHONS := $(foreach python,python3.13 python3.12 python3.11,\
    $(shell $(python) -c 'import ensurepip' 2>/dev/null && echo $(python)))
# What .venv has, or the newest.
PYTHON ?= $(firstword $(notdir $(realpath $(VENV)/bin/python)) $(PYTHONS))
OTHER_PYTHONS = $(filter-out $(notdir $(PYTHON)),$(PYTHONS))
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUNNABLE := $(VENV)/.runnable
SOURCES := mock_eventgate mock_mediawiki model_server revertrisk schemas charts requirements tests
# Most tests wait for a program to start. Files stay whole: the tests of a file share servers.
PROCESSES ?= 3
PYTEST = $(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder
# Where this is set, each process and each program that a test starts would compile all sources anew.
export PYTHONDONTWRITEBYTECODE :=
T ?=

.DEFAULT_GOAL := help

.PHONY: help
help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

# What `make run` needs, which is half of what development needs. torch comes first and by its exact version: a range
# would bring CUDA packages of several gigabytes where pip's own sources have a build for CPUs.
$(RUNNABLE): pyproject.toml requirements/constraints.txt
	$(if $(PYTHON),,$(error no Python from 3.11 to 3.13 that can make a virtual environment: on Debian and Ubuntu, \
	    apt-get install python3-venv))
	@echo "Setting up $(VENV) with $(PYTHON), once: a minute or more, of which most is silent downloads."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	torch=$$($(BIN)/python requirements/torch_source.py) && \
	    $(BIN)/pip install --quiet --constraint requirements/constraints.txt $$torch torch==2.13.0
	$(BIN)/pip install --quiet --constraint requirements/constraints.txt --editable '.[lake,serve]'
	touch $@

$(STAMP): $(RUNNABLE)
	$(BIN)/pip install --quiet --constraint requirements/constraints.txt --editable '.[dev]'
	touch $@

.PHONY: constraints
constraints: $(STAMP)  ## note the exact versions of everything that is installed, by the Python of the images
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "make lock VENV=.venv-3.11 PYTHON=python3.11")'
	{ echo "# Exact versions of everything, by \`make constraints\`."; echo torch==2.13.0; \
	  $(BIN)/pip freeze --exclude-editable | grep -vi '^torch=='; } > requirements/constraints.txt

.PHONY: lock
lock: constraints  ## after a change of dependencies: the exact versions, and what each image installs
	$(BIN)/python requirements/lock.py

.PHONY: dev
dev: $(STAMP)  ## create .venv from the constraints file and install the git hooks
	$(BIN)/pre-commit install

.PHONY: run
run: $(RUNNABLE)  ## everything on loopback: sample events through both models into the mock EventGate, live
	$(BIN)/revertrisk demo

.PHONY: check
check: PROCESSES = 2
check: lint unit other-pythons  ## formatting, lint, types, import rules and unit tests, on each Python: a minute each

.PHONY: unit
unit: $(STAMP)
	$(PYTEST) -m "not ci" tests/unit

# Each has a virtual environment of its own; `make check PYTHONS=` leaves them out.
.PHONY: other-pythons
other-pythons:
	$(foreach python,$(OTHER_PYTHONS),$(MAKE) unit PYTHON=$(python) VENV=.venv-$(python:python%=%) PROCESSES=$(PROCESSES) &&) true

.PHONY: lint
lint: $(STAMP)  ## formatting, lint, types and import rules only
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: test
test: $(BIN)/helm  ## all tests but the long ones, which it names at its end; T=tests/unit/dispatcher narrows it
	$(PYTEST) -m "not ci" $(T)

.PHONY: fmt
fmt: $(STAMP)  ## format, and fix what ruff can fix
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

# Where one of these cannot be had, its tests say with which command it can: one line, and in CI a failure.
$(BIN)/helm: charts/tools/get_helm.py | $(STAMP)
	-$(BIN)/python charts/tools/get_helm.py $(BIN)

$(BIN)/promtool: | $(STAMP)
	-charts/tools/get_promtool.sh $(BIN)

.PHONY: chart
chart: $(BIN)/helm $(BIN)/promtool  ## render and check the chart, its alerts and the image files
	CI=true $(PYTEST) tests/contract/chart tests/contract/images

.PHONY: image
image:  ## build the images with buildah (root; apt-get install buildah debootstrap)
	.pipeline/build_images.sh

.PHONY: try-image
try-image:  ## run the built images up to a prediction, as `docker run` would (root; after make image)
	.pipeline/try_images.sh

DATA ?= ../shared/data/edits
MODELS := revertrisk-language-agnostic revertrisk-multilingual
.PHONY: models $(MODELS)
models: $(MODELS)  ## train both models and write their artefacts and cards; -j2 for both at once
$(MODELS): $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/revertrisk train --data $(DATA) --model $@ --out revertrisk/scoring/artifacts/$@ --splits 5

SEED ?= 7
SECONDS ?=
TIMES ?= 20
WORKERS ?= 1
EVENTS ?=
AGAINST ?=

.PHONY: bench
bench: $(STAMP)  ## our server against the usual way of working, or AGAINST=another checkout; QUICK=1 writes nothing
ifneq ($(AGAINST),)
	$(BIN)/python tests/bench/against.py $(AGAINST) $(if $(QUICK),--quick)
else
	$(BIN)/python tests/bench/run.py $(if $(QUICK),--quick)
	$(if $(QUICK),,$(BIN)/python charts/tools/capacity.py)
endif

EDITS ?= 200000
.PHONY: bench-lake
bench-lake: $(STAMP)  ## the lake: events a second, memory, and two questions beside one scan; EDITS=200000
	$(BIN)/python -m tests.bench.lake --edits $(EDITS)

.PHONY: study
study: $(STAMP)  ## simulations in full, beside a truth that is known: the reports (minutes), the alerts (hours)
	$(BIN)/python -m tests.study.outcomes
	$(BIN)/python -m tests.study.surge_tail
	$(BIN)/python -m tests.study.surge

.PHONY: bench-surge
bench-surge: $(STAMP)  ## a day of all Wikimedia through the alerts: 1.7 million events, CPU and memory
	$(BIN)/python -m tests.bench.surge

.PHONY: kill-lake
kill-lake: $(STAMP)  ## two writers of a lake, killed twenty times, against SQLite; EDITS=1000000 takes half an hour
	$(BIN)/python -m tests.load.lake --edits $(EDITS)

# Programs that are too large for .venv.
PEERS := .venv-peers
$(PEERS)/.spark: requirements/constraints.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --constraint requirements/constraints.txt 'pyspark[sql]'
	touch $@

.PHONY: peers
peers: $(STAMP) $(PEERS)/.spark  ## beside other programs: PySpark (Java 17), moto's S3, Tansu, R, Prometheus, Alertmanager
	$(BIN)/python -m tests.peers.spark --python $(PEERS)/bin/python
	$(BIN)/python -m tests.peers.s3
	$(BIN)/python -m tests.peers.kafka
	Rscript tests/peers/surge_oracle.R > tests/unit/alerts/glrnb.json
	$(BIN)/python -m tests.peers.alertmanager
	$(BIN)/python -m tests.peers.prometheus

.PHONY: soak
soak: $(STAMP)  ## an hour at a steady rate with faults; fails if memory or files grow; SECONDS=120
	$(BIN)/python tests/load/soak.py --seconds $(or $(SECONDS),3600)

.PHONY: chaos
chaos: $(STAMP)  ## everything fails at once and nothing is lost; SEED=… SECONDS=…
	$(BIN)/python -m tests.load.chaos --seed $(SEED) --seconds $(or $(SECONDS),45)

.PHONY: calm
calm: $(STAMP)  ## the same without faults: no duplicate, no retry
	$(BIN)/python -m tests.load.chaos --seed $(SEED) --calm

.PHONY: sigterm
sigterm: $(STAMP)  ## SIGTERM under load; TIMES=20 WORKERS=1
	$(BIN)/python -m tests.load.sigterm --times $(TIMES) --workers $(WORKERS)

.PHONY: stopped-gate
stopped-gate: $(STAMP)  ## EventGate stands still under load; SECONDS=60
	$(BIN)/python -m tests.load.stopped_gate --seconds $(or $(SECONDS),60)

.PHONY: flood
flood: $(STAMP)  ## heads and trailers without an end: memory and other callers stay as they were; MEGABYTES=150
	$(BIN)/python -m tests.load.flood --megabytes $(or $(MEGABYTES),150)

.PHONY: one-wiki
one-wiki: $(STAMP)  ## a burst of one wiki, and a wiki that hangs beside another; EVENTS=8000
	$(BIN)/python -m tests.load.one_wiki --events $(or $(EVENTS),8000)

.PHONY: docs
docs: $(STAMP)  ## write docs/edge-cases.md from a run of its tests
	$(BIN)/python -m tests.integration.edge_cases.report

.PHONY: ci
ci: lint other-pythons $(BIN)/helm $(BIN)/promtool  ## what continuous integration runs: lint, every test, short load runs
	CI=true $(PYTEST)
	$(MAKE) --jobs=2 --output-sync ci-soak ci-faults
	$(MAKE) calm
	$(MAKE) sigterm TIMES=3
	$(MAKE) sigterm TIMES=2 WORKERS=2
	$(MAKE) one-wiki EVENTS=4000

# Both wait most of the time, and neither minds the other's load: what needs the machine for itself runs after them.
.PHONY: ci-soak ci-faults
ci-soak:
	$(MAKE) soak SECONDS=120

ci-faults:
	$(MAKE) chaos SECONDS=45
	$(MAKE) stopped-gate SECONDS=10
	$(MAKE) flood MEGABYTES=10

.PHONY: readme
readme: $(STAMP)  ## write the generated parts of the documents, and the copies of the version
	UPDATE_README=1 $(BIN)/pytest tests/contract/docs
