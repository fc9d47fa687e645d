# Every habit of the house. `make help` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help up setup test lint types audit chaos fuzz schemas bench train clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[local,eval,teacher,dev]'
	@touch $@

setup: $(READY) ## make .venv and install everything but the training extra

up: $(READY) ## broker, topics, model, worker and a sample of queries, live in this terminal
	$(BIN)/sluice up

test: $(READY) lint types ## everything: lint, types, all tests (real Apache Kafka too when java and mvn are there)
	$(BIN)/python -m pytest

lint: $(READY) ## ruff, both lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## mypy, strict
	$(BIN)/mypy

audit: $(READY) ## known vulnerabilities of what is installed; says which could not be looked up
	$(BIN)/pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --skip-editable --progress-spinner off

chaos: $(READY) ## break everything against three real brokers and check the books (20 minutes)
	$(BIN)/python -m tests.chaos

fuzz: $(READY) ## 100,000 wild records through a real worker (10 minutes)
	$(BIN)/python -m tests.fuzz

schemas: $(READY) ## write schemas/json again from schemas/events.py
	$(BIN)/sluice schemas export schemas/json

bench: $(READY) ## throughput through Kafka, then the full-size shape (2 minutes)
	$(BIN)/python -m benchmarks.load saturation
	$(BIN)/python -m benchmarks.engine

train: $(READY) ## train the embedded model: make train DATA=folder OUT=folder
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[train]'
	$(BIN)/python -m sluicegate.models.pretraining --data $(DATA) --out $(OUT)

clean: ## remove what the other commands made
	rm -rf $(VENV) .cache build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
