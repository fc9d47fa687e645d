# The commands of a developer's day. `make help` lists them.
PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready
UV      := uv==0.13.9
EXTRAS  := --extra local --extra eval --extra teacher --extra dev
SYNC    := UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --frozen --inexact --quiet --compile-bytecode $(EXTRAS)
WORKERS ?= 4
# The tests start hundreds of processes: without bytecode on disk, each would compile every module again.
export PYTHONDONTWRITEBYTECODE :=
# More test processes than cores: the tests mostly wait for brokers and workers. Those of one group share a process.
PARALLEL := --numprocesses $(WORKERS) --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help up setup test unit coverage lint types lock audit chaos fuzz schemas docs bench train clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(READY): pyproject.toml uv.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	$(SYNC)
	@touch $@

setup: $(READY) ## make .venv and install the locked versions of everything but the training extra

up: $(READY) ## broker, topics, model, worker and a sample of queries, live in this terminal
	$(BIN)/sluice up

test: $(READY) lint types ## lint, types and all tests (real Apache Kafka too when java and mvn are there)
	$(BIN)/python -m pytest $(PARALLEL)

unit: $(READY) ## the unit tests alone, under a minute
	$(BIN)/python -m pytest $(PARALLEL) tests/unit

coverage: $(READY) ## all tests, with the lines that none of them runs (slower)
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term --cov-report=xml

lint: $(READY) ## ruff (lint and format), and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(READY) ## mypy, strict
	$(BIN)/mypy

lock: $(READY) ## write uv.lock again after a change of pyproject.toml
	$(BIN)/uv lock

audit: $(READY) ## known vulnerabilities of what is installed; says which could not be looked up
	$(BIN)/pip-audit --skip-editable --progress-spinner off

chaos: $(READY) ## break everything against three real brokers and account for every event (20 minutes)
	$(BIN)/python -m tests.chaos

fuzz: $(READY) ## 100,000 wild records through a real worker (10 minutes)
	$(BIN)/python -m tests.fuzz

schemas: $(READY) ## write schemas/json from the code
	$(BIN)/sluice schemas export schemas/json

docs: $(READY) ## write docs/settings.md and docs/reference.md from the code
	$(BIN)/sluice config docs > docs/settings.md
	$(BIN)/sluice schemas reference > docs/reference.md

bench: $(READY) ## throughput through Kafka, then the full-size shape (2 minutes)
	$(BIN)/python -m benchmarks.load saturation
	$(BIN)/python -m benchmarks.engine

train: $(READY) ## train the embedded model: make train DATA=folder OUT=folder
	$(SYNC) --extra train
	$(BIN)/python -m sluicegate.models.pretraining --data $(DATA) --out $(OUT)

clean: ## remove what the other commands made
	rm -rf $(VENV) .cache build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache \
		.coverage .coverage.* coverage.xml
