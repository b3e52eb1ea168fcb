# One command each: run, test, check, bench, soak. Each makes what it needs first.
PORT ?= 8000
PYTHON ?= python3
ENGINE ?= whoosh
BIN := .venv/bin

.PHONY: run test check bench simulation soak conformance soak-mail format lock

run: .venv/run
	$(BIN)/stillhere demo --port $(PORT)

test: .venv/dev
	$(BIN)/python -m tests.set_up
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/dev
	$(BIN)/python -m bench

simulation: .venv/dev
	$(BIN)/python -m tests.simulation

soak: .venv/dev
	$(BIN)/python -m tests.soak

soak-mail: .venv/dev
	$(BIN)/python -m tests.soak_mail

conformance: .venv/dev
	$(BIN)/python -m tests.search.soak --engine $(ENGINE)

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Hashes pin the packages; no host is named, so any mirror serves.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-header pyproject.toml --group build

lock: .venv/dev
	$(LOCK) --upgrade --extra postgres --output-file lock/run.txt
	$(LOCK) --upgrade --all-extras --group dev --output-file lock/dev.txt

.venv/run: lock/run.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r lock/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/dev: lock/dev.txt .venv/run
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r lock/dev.txt
	touch $@
