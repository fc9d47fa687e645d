# The commands for developers. `make help` lists them.
PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready
UV      := uv==0.13.9
EXTRAS  := --extra local --extra eval --extra mcp --extra teacher --extra docs --extra dev
SYNC    := UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --frozen --inexact --quiet --compile-bytecode $(EXTRAS)
WORKERS ?= 4
# The tests start hundreds of processes: without bytecode on disk, each would compile every module again.
export PYTHONDONTWRITEBYTECODE :=
# More test processes than cores, because the tests mostly wait for brokers and workers. Tests of one group share a process.
PARALLEL := --numprocesses $(WORKERS) --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help up setup test unit coverage lint types lock audit chaos contract fuzz schemas docs site dashboards bench train
.PHONY: speller clean
.PHONY: chart kubernetes-tools telemetry-tools sbom

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(READY): pyproject.toml uv.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	$(SYNC)
	@touch $@

setup: $(READY) ## create .venv with the locked versions of all dependencies except those for training

up: $(READY) ## broker, topics, model, worker and a sample of queries, live in this terminal
	$(BIN)/sluice up

test: $(READY) lint types ## lint, types and all tests (real Apache Kafka too when java and mvn are there)
	$(BIN)/python -m pytest $(PARALLEL)

unit: $(READY) ## the unit tests alone, under a minute
	$(BIN)/python -m pytest $(PARALLEL) tests/unit

coverage: $(READY) ## all tests, with a report of the lines that they do not run (slower)
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term --cov-report=xml

lint: $(READY) ## ruff (lint and format) and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(READY) ## mypy, strict
	$(BIN)/mypy

lock: $(READY) ## update uv.lock after a change of pyproject.toml
	$(BIN)/uv lock

audit: $(READY) ## look up known vulnerabilities of the installed packages
	$(BIN)/pip-audit --skip-editable --progress-spinner off

chaos: $(READY) ## inject faults with three real brokers and account for every event (20 minutes)
	$(BIN)/python -m tests.chaos

contract: $(READY) ## send 10,000 requests that the OpenAPI document suggests to a real server (10 minutes)
	SCHEMATHESIS_EXAMPLES=1000 $(BIN)/python -m pytest -s tests/integration/test_http_contract.py -k document

fuzz: $(READY) ## send 100,000 malformed records through a real worker (10 minutes)
	$(BIN)/python -m tests.fuzz

schemas: $(READY) ## write schemas/json from the code
	$(BIN)/sluice schemas export schemas/json
	$(BIN)/sluice schemas openapi > schemas/json/openapi.json

docs: $(READY) ## write docs/settings.md, docs/reference.md and docs/chart-values.md, and the chart's list of settings
	$(BIN)/sluice config docs > docs/settings.md
	$(BIN)/sluice schemas reference > docs/reference.md
	$(BIN)/python -m tests.support.chart_values

chart: kubernetes-tools ## lint, render and validate the Helm chart with every switch
	REQUIRE_KUBERNETES_TOOLS=1 $(BIN)/python -m pytest tests/unit/deploy/test_chart.py tests/unit/deploy/test_chart_values.py

kubernetes-tools: $(READY) ## build Helm and kubeconform with Go, and fetch Kubernetes' schemas (minutes, once)
	$(BIN)/python -m tests.support.kubernetes_tools

telemetry-tools: $(READY) ## build the OpenTelemetry collector and Jaeger with Go (ten minutes, once)
	$(BIN)/python -m tests.support.telemetry_tools

dashboards: $(READY) ## write Grafana's dashboards from deploy/grafana/dashboards.toml
	$(BIN)/python deploy/grafana/generate.py

site: $(READY) ## build the documentation as a site into site/, and check its links
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

sbom: $(READY) ## list the runtime dependencies with versions and licences in dist/sbom.cdx.json (CycloneDX)
	mkdir -p dist
	UV_PROJECT_ENVIRONMENT=.cache/runtime $(BIN)/uv sync --frozen --quiet
	$(BIN)/cyclonedx-py environment .cache/runtime/bin/python --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.cdx.json

bench: $(READY) ## throughput through Kafka, then the full-size shape (2 minutes)
	$(BIN)/python -m benchmarks.load saturation
	$(BIN)/python -m benchmarks.engine

train: $(READY) ## train the embedded model: make train DATA=folder OUT=folder
	$(SYNC) --extra train
	$(BIN)/python -m sluicegate.models.pretraining --data $(DATA) --out $(OUT)

speller: $(READY) ## build the speller's files: make speller DATA=folder DICTIONARIES=folder OUT=folder
	$(BIN)/python -m sluicegate.models.spelling --data $(DATA) --dictionaries $(DICTIONARIES) --out $(OUT)

clean: ## remove what the other commands created
	rm -rf $(VENV) .cache build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache \
		.coverage .coverage.* coverage.xml
