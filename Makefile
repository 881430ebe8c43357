# The one front door. `make help` lists what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Whatever is exported on this machine for a real installation has no say in lint and tests.
CLEAN := env -u DEBUG -u HTTPS -u ALLOWED_HOSTS -u EASYPOST_API_KEY -u EASYPOST_API_BASE -u DEFAULT_CARRIER
PRODUCTION := $(CLEAN) DATABASE_URL=sqlite://:memory: ALLOWED_HOSTS=ships.example.com \
	SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))')"

.DEFAULT_GOAL := help
.PHONY: help demo run test model machine torture torture-controls sabotage bench bench-million screenshots lint format

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED) ## Ship 200 sample orders, kill the worker half-way, serve what is left (PORT=8000 SANDBOX_PORT=8001)
	@exec $(BIN)/python -m shipping.project.demo

run: $(INSTALLED) ## Serve one's own data, kept under var/ (PORT=8000 SANDBOX_PORT=8001)
	@exec $(BIN)/python -m shipping.project.run

# Most tests wait: for carriers, leases, processes that die; those of tests/crash hardly do anything else. JOBS=0 runs
# them in one process, for a debugger.
ANY = -n $(or $(JOBS),4) --dist worksteal
KILLS_ALONE = -n $(or $(JOBS),8) --dist worksteal tests/crash

ifeq ($(DB),postgres)
PYTEST = $(CLEAN) $(if $(DATABASE_URL),,scripts/postgres) $(BIN)/pytest
else
PYTEST = $(CLEAN) -u DATABASE_URL $(BIN)/pytest
endif

# The tests in the browser are about pages, not about the database: on PostgreSQL they run only when asked for, with
# ARGS="-m browser" (the last -m counts).
test: $(INSTALLED) ## Run all tests on SQLite (DB=postgres: on PostgreSQL; JOBS=4 ARGS=...)
ifneq ($(filter-out sqlite postgres,$(DB)),)
	@echo "DB=$(DB) is not known; there is sqlite (default) and postgres." >&2; exit 2
else ifneq ($(ARGS),)
	@$(PYTEST) $(ANY) $(if $(filter postgres,$(DB)),-m "not browser") $(ARGS)
else
	@$(PYTEST) $(ANY) -m "not browser" --ignore=tests/crash
	@$(PYTEST) $(KILLS_ALONE)
ifneq ($(DB),postgres)
	@# One browser at a time; where there is none, no test is left (5), and a line says so.
	@$(PYTEST) -m browser || [ $$? -eq 5 ]
endif
endif

TORTURE = -m tests.torture --kills $(or $(KILLS),1000) --seed $(or $(SEED),1) $(if $(BATCH),--batch $(BATCH)) \
	$(if $(MINUTES),--minutes $(MINUTES))

torture: $(INSTALLED) ## Kill at random, compare with the ledger (KILLS=1000 SEED=1 MINUTES=... BATCH=... DB=postgres)
ifeq ($(DB),postgres)
	@$(CLEAN) -u DATABASE_URL scripts/postgres $(BIN)/python $(TORTURE)
else
	@$(CLEAN) -u DATABASE_URL $(BIN)/python $(TORTURE)
endif

torture-controls: $(INSTALLED) ## Play broken builds; the comparison has to catch each
	@$(CLEAN) -u DATABASE_URL $(BIN)/python -m tests.torture --controls

model: $(INSTALLED) ## Explore every state of the model of the promise, and its sabotaged variants (BOUNDS="2 3 0 2")
	@$(BIN)/python -m tests.model $(or $(BOUNDS),2 3 0 2) # rows, crashes, freezes, choices

machine: $(INSTALLED) ## Play the model's moves with the real code, in whatever order (EXAMPLES=300 STEPS=60 SEED=1)
	@$(CLEAN) -u DATABASE_URL $(BIN)/python -m tests.machine --examples $(or $(EXAMPLES),300) \
		--steps $(or $(STEPS),60) --seed $(or $(SEED),1)

sabotage: $(INSTALLED) ## Play builds that are broken on purpose, and say which rule catches each
	@$(CLEAN) -u DATABASE_URL $(BIN)/python -m tests.sabotage

bench-million: $(INSTALLED) ## Measure pages, choices and files with a million rows and 10,000 jobs (ARGS="--rows 100000")
	@$(CLEAN) -u DATABASE_URL $(BIN)/python -m benchmarks.million $(ARGS)

# The peers have an environment of their own; the cluster's fsync is on, as what is measured is durable.
BENCH := .venv-bench

bench: $(INSTALLED) $(BENCH)/.installed ## Measure the engine, its limit and its peers (ARGS="--only http --rounds 3 --rows 3000 ...")
	@$(CLEAN) -u DATABASE_URL FSYNC=on scripts/postgres $(BIN)/python -m benchmarks $(ARGS)

$(BENCH)/.installed: benchmarks/requirements.txt
	@echo "Installing the peers into $(BENCH) ..."
	@$(PYTHON) -m venv --clear $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/requirements.txt
	@touch $@

screenshots: $(INSTALLED) ## Make the pictures of docs/images anew, with sample data and the sandbox carrier
	@$(CLEAN) -u DATABASE_URL $(BIN)/pytest -q tests/browser/screenshots.py

lint: $(INSTALLED) ## Check format, style, types, layers, settings and migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	find templates -name '*.html' -exec $(BIN)/djade --check --target-version 5.2 {} +
	@$(PRODUCTION) $(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	@$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING
	@$(PRODUCTION) $(BIN)/python manage.py makemigrations --check --dry-run

format: $(INSTALLED) ## Format the code and the templates
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	find templates -name '*.html' -exec $(BIN)/djade --target-version 5.2 {} +

$(INSTALLED): requirements/base.txt requirements/dev.txt
	@command -v $(PYTHON) >/dev/null \
	|| { echo "$(PYTHON) was not found; name another with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Python 3.11 or newer is needed, $$($(PYTHON) --version) was found; name another with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	|| { echo "$(PYTHON) has no venv; install it (on Debian: apt-get install python3-venv)." >&2; exit 1; }
	@echo "Installing the pinned requirements into $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements/dev.txt
	@touch $(INSTALLED)
