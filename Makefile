# Quittance: everything runs from a fresh clone with Python 3.11+ and make. `make demo` and `make test` are enough.

PYTHON ?= python3
PY := .venv/bin/python
INSTALLED := .venv/installed
LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q
UV_INSTALL := $(PY) -m uv pip install --quiet --compile-bytecode --python $(PY) --require-hashes -r requirements.lock
WORKERS ?= 3
TESTS ?=
COUNT ?= 3
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests and demonstration start hundreds of programs: each may keep and use what another one compiled.
unexport PYTHONDONTWRITEBYTECODE

# What a production machine would say, so that `check --deploy` judges the settings that matter.
PRODUCTION := env -u DEMO -u DEBUG -u TLS -u STAFF_SECOND_FACTOR \
	PORTAL_DOMAIN=pay.example.com TRUSTED_PROXIES=1

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz slow faults year kills lint fmt bench up down clean lock venv

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: up ## Start everything, walk through a payment, stay up [ONCE=1] [PORT=8000]
	@$(PY) manage.py demo $(if $(ONCE),--once) $(if $(PORT),--port $(PORT))

test: up ## Run the tests [TESTS="path -k name"] [WORKERS=3]
	@$(PY) -m pytest -n $(WORKERS) --dist loadgroup -m "not slow and not fuzz" $(TESTS)

fuzz: up ## Ask every operation of the API whatever its document allows, and more [EXAMPLES=50] [ONLY=templates] [WORKERS=3]
	@EXAMPLES=$(EXAMPLES) ONLY='$(ONLY)' $(PY) -m pytest -q -n $(WORKERS) -m fuzz --show-capture=no tests/contracts

slow: up ## Run the tests that take long: large files, other ways to start the servers, ten thousand worlds
	@$(PY) -m pytest -q -n $(WORKERS) -m "slow and not faults" $(TESTS)

faults: venv ## Kill things at every step and count the money, on servers of their own [COUNT=3]
	@export LOCAL_HOME=$(CURDIR)/.local/faults; env -u DATABASE_URL -u REDIS_URL $(PY) -m portal.local up \
		&& env -u DATABASE_URL -u REDIS_URL FAULTS_COUNT=$(COUNT) $(PY) -m pytest tests/faults -m faults -n 0 $(TESTS); \
		status=$$?; env -u DATABASE_URL -u REDIS_URL $(PY) -m portal.local down; exit $$status

year: venv ## Live through a simulated year and judge the books [CONSUMERS=1000] [DAYS=365] [SEED=7] [IN_PROCESS=1] [REPORT=file]
	@export LOCAL_HOME=$(CURDIR)/.local/faults; env -u DATABASE_URL -u REDIS_URL $(PY) -m portal.local up \
		&& env -u DATABASE_URL -u REDIS_URL $(PY) -m tests.simulation $(if $(CONSUMERS),--consumers $(CONSUMERS)) \
			$(if $(DAYS),--days $(DAYS)) $(if $(SEED),--seed $(SEED)) $(if $(IN_PROCESS),--in-process) \
			$(if $(REPORT),--report $(REPORT)); \
		status=$$?; env -u DATABASE_URL -u REDIS_URL $(PY) -m portal.local down; exit $$status

kills: venv ## Kill everything 500 times among 20,000 payments, count the money; goes on where it stopped [LOAD=events|messages]
	@export LOCAL_HOME=$(CURDIR)/.local/kills; env -u DATABASE_URL -u REDIS_URL $(PY) -m tests.faults \
		$(if $(LOAD),--load $(LOAD)) $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) $(if $(AGAIN),--again $(AGAIN))

lint: up ## Style, layers, templates, migrations, deploy check
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -c "from importlinter.cli import lint_imports_command as lint; lint(['--no-logo'])"
	@$(PY) -m djlint templates --check --lint --quiet
	@$(PY) manage.py makemigrations --check --dry-run
	@$(PRODUCTION) $(PY) manage.py check --deploy --fail-level WARNING
	@if [ -f docs/openapi.yaml ]; then \
		$(PY) -m pytest -q -n 0 tests/contracts -k openapi; \
	else \
		echo "docs/openapi.yaml is not there yet: the API snapshot was not compared."; \
	fi

fmt: venv ## Put code and templates into the house format
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .
	@$(PY) -m djlint templates --reformat --quiet

bench: up ## Measure, beside the limit and the peers of the same run [SIZE=full]
	@SIZE=$(SIZE) $(PY) -m tests.benchmarks

up: venv ## Start the local PostgreSQL and Valkey (DATABASE_URL, REDIS_URL replace them)
	@$(PY) -m portal.local up

down: venv ## Stop them; the data stays in .local/
	@$(PY) -m portal.local down

clean: ## Stop the local servers and remove .local/, .venv/ and caches
	@if [ -x $(PY) ] && [ -d .local ]; then $(PY) -m portal.local erase; fi
	rm -rf .local .venv staticfiles test-results .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock: venv ## Resolve pyproject.toml again [UPGRADE=1]
	@$(PY) -m uv pip compile pyproject.toml --group local --group dev $(LOCK_OPTIONS) $(if $(UPGRADE),--upgrade) \
		-o requirements.lock
	@$(PY) -m uv pip compile pyproject.toml -c requirements.lock $(LOCK_OPTIONS) -o requirements-server.lock

venv: $(INSTALLED)

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "error: Quittance needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear .venv >/dev/null 2>&1 \
		|| { rm -rf .venv; echo "error: $(PYTHON) has no venv module (Debian, Ubuntu: install python3-venv)" >&2; exit 1; }

# The stamp is written last: an interrupted installation is done again. uv is fast, with its own certificates or the
# machine's; pip is always there.
$(INSTALLED): requirements.lock requirements-uv.txt | $(PY)
	@echo "Installing requirements.lock into .venv"
	@{ $(PY) -m pip install --quiet --require-hashes --only-binary :all: -r requirements-uv.txt \
		&& { $(UV_INSTALL) 2>/dev/null || $(UV_INSTALL) --system-certs; }; } \
		|| { echo "uv did not work here; installing with pip, which takes two minutes"; \
			$(PY) -m pip install --quiet --require-hashes -r requirements.lock; }
	@touch $@
