# The whole of it: make run (the company on this machine), make test, make check. PORT=8100 make run takes another port.

PY := .venv/bin/python
TESTS := $(PY) -m pytest -q -rfEs
PORT ?= 8000
ARGS ?=
export PORT

.PHONY: setup run check fix test browser faults bench migrations resync openapi lock

setup:  ## .venv and .env; does nothing when they are as they should be
	@scripts/setup

run: setup  ## everything, with a local AWS; Ctrl-C ends it
	@$(PY) -m jada.embedded

check: setup  ## everything that can be said without running the product
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy .
	.venv/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run --settings tests.settings
	env $$($(PY) scripts/new_env.py --production) $(PY) manage.py check --deploy --fail-level WARNING
	$(TESTS) -n0 tests/structure

fix: setup  ## what a machine can put right
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

test: setup  ## the suite on SQLite, in under three minutes; ARGS="…" goes to pytest
	$(TESTS) -n auto -m "not browser" $(ARGS)

browser: setup  ## the three faces in Chromium, with axe; apart, because playwright keeps an event loop in its thread
	$(TESTS) -n auto -m browser tests/browser

faults: setup  ## every crash point on both databases, then seasons in which everything breaks; ARGS="--seed 7" repeats one
	@$(PY) -m tests.faults $(ARGS)

bench: setup  ## how fast what a booking owes is delivered, beside the bare driver and other systems; half an hour
	$(PY) -m tests.bench $(ARGS)

migrations: setup
	$(PY) manage.py makemigrations --settings tests.settings

resync: setup  ## write every guest page and crew event out again; repeats no mail
	$(PY) manage.py resync

openapi: setup  ## the agreed schema of the APIs, written anew
	DEBUG=true $(PY) manage.py export_openapi_schema --api jada.api.api --indent 2 --sorted --output tests/structure/openapi.json

lock: setup  ## the pinned requirements, newly resolved
	.venv/bin/uv pip compile --quiet --no-header --generate-hashes --python-version 3.11 requirements.in -o requirements.txt
	.venv/bin/uv pip compile --quiet --no-header --generate-hashes --python-version 3.11 -c requirements.txt requirements-dev.in -o requirements-dev.txt
