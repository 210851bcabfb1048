# pagerforce: everything that a developer or a new user runs. `make help` lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
export PYTHONDONTWRITEBYTECODE ?= 1

.DEFAULT_GOAL := help
MONITORING := $(VENV)/.monitoring
ALTERNATIVES := $(VENV)/.alternatives
MUTATION := $(VENV)/.mutation
SITE := $(VENV)/.site
COMPILE := uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --quiet
.PHONY: help venv demo sandbox install uninstall test test-postgresql test-monitoring hostile abuse kills fuzz soak replay mutants monitoring-dashboard monitoring-pictures bench bench-smoke check docs fix types lock clean

help:           ## list the targets
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/ -/'

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "pagerforce needs Python 3.11 or later as '$(PYTHON)'; name another with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "the venv module of '$(PYTHON)' is missing; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

venv: $(STAMP)  ## create the environment .venv with the program and all tools

demo: $(STAMP)  ## the whole system against the built-in sandbox, in under a minute
	@$(BIN)/pagerforce demo

sandbox: $(STAMP) ## only the sandbox, for trying rules by hand
	@$(BIN)/pagerforce sandbox

install:        ## install for the whole system; DESTDIR= for packages (see packaging/install.sh)
	@PYTHON="$(PYTHON)" packaging/install.sh install

uninstall:      ## remove the program; state and configuration stay
	@packaging/install.sh uninstall

$(MONITORING): $(STAMP) monitoring/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r monitoring/requirements.lock
	@touch $@

test: $(STAMP)  ## all tests except those against the real Prometheus
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not monitoring"

test-postgresql: $(STAMP) ## the tests of the pipeline and the commands with the state in PostgreSQL
	STATE=postgresql $(BIN)/python -m pytest -n 2 --dist worksteal tests/store tests/pipeline tests/control tests/service tests/storage tests/property tests/system tests/verify

test-monitoring: $(MONITORING) ## alerts, dashboard and metrics against the real Prometheus
	$(BIN)/python -m pytest tests/monitoring

monitoring-dashboard: $(MONITORING) ## generate the Grafana dashboard
	$(BIN)/python monitoring/grafana/dashboard.py

monitoring-pictures: $(MONITORING) ## draw the dashboard from the demo under a real Prometheus
	PAGERFORCE_PICTURES=docs/images $(BIN)/python -m pytest -q tests/monitoring/test_dashboard.py -k picture

hostile: $(STAMP) ## storage tests: full disks, power cuts, restores, migrations, retention
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/storage tests/migration tests/store

abuse: $(STAMP) ## attacks by operators, local users and malformed answers; longer with ABUSE=10
	ABUSE=$(or $(ABUSE),1) $(BIN)/python -m pytest -n 2 --dist worksteal tests/abuse

kills: $(STAMP) ## the real daemon under kill -9, KILLS=200 times (SEED= repeats a run)
	@cd tests && ../$(BIN)/python -m kills.harness $(or $(KILLS),200) $(SEED)

fuzz: $(STAMP)  ## many more malformed answers, and many more examples of every law
	FUZZ=$(or $(FUZZ),300) FUZZ_LIVES=40 PROPERTY=1000 $(BIN)/python -m pytest -n 2 tests/fuzz tests/property

SEEDS ?= 10000
soak: $(STAMP)  ## many seeds of the simulation: make soak SEEDS=500
	PYTHONPATH=tests $(BIN)/python -m simulation 1-$(SEEDS)

replay: $(STAMP) ## one seed of the simulation, with its history: make replay SEED=17
	PYTHONPATH=tests $(BIN)/python -m simulation $(SEED) $(if $(BUG),--bug $(BUG))

$(MUTATION): $(STAMP) tests/mutants/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/mutants/requirements.lock
	@touch $@

mutants: $(MUTATION) ## small mistakes in the code: does a test catch them? MUTANTS=40 SEED=1 SEEDS=120 (ONLY=3,17)
	PYTHONPATH=daemon:tests $(BIN)/python -m mutants $(or $(MUTANTS),40) $(or $(SEED),1) \
	  --seeds $(if $(filter file,$(origin SEEDS)),120,$(SEEDS)) $(if $(ONLY),--only $(ONLY))

types: $(STAMP) ## strict types
	$(BIN)/mypy

$(ALTERNATIVES): $(STAMP) bench/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bench/requirements.lock
	@touch $@

bench: $(ALTERNATIVES) ## measure every figure of docs/benchmarks.md again (ONLY=idle: that section)
	$(BIN)/python -m bench --write $(if $(ONLY),--only $(ONLY))

bench-smoke: $(ALTERNATIVES) ## the same at tiny sizes, to test each benchmark
	$(BIN)/python -m bench --smoke
	$(BIN)/python -m bench.year --days 2 --changes 20
	$(BIN)/python -m bench.pages --rows 3000

$(SITE): $(STAMP) docs/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r docs/requirements.lock
	@touch $@

docs: $(SITE)   ## build the documents as a site in build/docs; a broken link is an error
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --builder html docs build/docs
	@echo "open build/docs/index.html"

check: $(STAMP) ## format, lint, strict types, import rules
	$(BIN)/ruff format --check daemon tests bench monitoring docs
	$(BIN)/ruff check daemon tests bench monitoring docs
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(STAMP)   ## format, and apply automatic fixes
	$(BIN)/ruff format daemon tests bench monitoring docs
	$(BIN)/ruff check --fix daemon tests bench monitoring docs

lock:           ## renew all lock files: development, installation, build, monitoring, bench, docs (needs uv)
	$(COMPILE) --group dev -o requirements.lock pyproject.toml
	$(COMPILE) -c requirements.lock -o packaging/run.lock pyproject.toml
	$(COMPILE) -c requirements.lock --extra postgresql -o packaging/postgresql.lock pyproject.toml
	$(COMPILE) -c requirements.lock --group build -o packaging/build.lock
	$(COMPILE) -c requirements.lock --group monitoring -o monitoring/requirements.lock
	$(COMPILE) -c requirements.lock --group alternatives -o bench/requirements.lock
	$(COMPILE) -c requirements.lock --group mutants -o tests/mutants/requirements.lock
	$(COMPILE) -c requirements.lock --group docs -o docs/requirements.lock

clean:          ## remove the files made by the targets
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
