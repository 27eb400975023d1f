# Everything runs in a virtual environment of its own, .venv; nothing else on the machine is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest -n 2 --dist loadfile

.PHONY: demo test test-15 test-slow test-all check bench clean .airflow3 .airflow2

demo: $(VENV)/.demo ## set everything up and run the main job on real data
	$(BIN)/datasurface demo

test: $(VENV)/.dev ## set everything up and run the tests that take no long time, on PostgreSQL 18
	$(PYTEST) -m "not slow"

test-15: $(VENV)/.dev ## what runs on a server, on PostgreSQL 15 (Debian's package postgresql-15)
	DATASURFACE_TEST_SERVERS=15 $(PYTEST) -m "not slow" tests/conformance/test_engine_*.py \
		tests/conformance/test_hostile_transformer.py tests/conformance/test_security_*.py \
		tests/conformance/test_transformers.py tests/conformance/test_transformer_changes.py tests/property tests/crash \
		tests/scenario/test_main_path.py tests/scenario/test_audit.py

test-slow: $(VENV)/.dev .airflow3 .airflow2 ## the slow tests, on PostgreSQL 18 and 15; one by one, for some files take longer than all others
	DATASURFACE_TEST_SERVERS=18,15 $(BIN)/pytest -n 2 --dist worksteal -m slow

test-all: test test-15 test-slow ## every test

check: $(VENV)/.dev ## style, types, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports

bench: $(VENV)/.bench ## the speed budget, as ratios to a bare COPY pipe in the same run
	$(BIN)/python -m benchmarks

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("DataSurface needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[demo]'
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

# Airflow pins what DataSurface does not: each line of it lives in an environment of its own.
.airflow3/.ready .airflow2/.ready: .airflow%/.ready: tests/requirements/airflow%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps -r $<
	$(@D)/bin/pip check
	touch $@

.airflow3: .airflow3/.ready ## a real Airflow 3 for the tests
.airflow2: .airflow2/.ready ## a real Airflow 2.11 for the tests

$(VENV)/.bench: pyproject.toml $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[bench]'
	touch $@

.checkov/.made: ## checkov, in a virtual environment of its own: what it needs clashes with the rest
	$(PYTHON) -m venv .checkov
	.checkov/bin/pip install --quiet --disable-pip-version-check 'checkov==3.3.30'
	touch $@

.promtool/promtool: ## Prometheus' own checker of rules, out of Debian's package, without the server that comes with it
	mkdir -p .promtool
	cd .promtool && apt-get -o APT::Sandbox::User=root download -q prometheus && dpkg-deb --extract prometheus_*.deb package
	mv .promtool/package/usr/bin/promtool $@
	rm -rf .promtool/package .promtool/*.deb

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .checkov .promtool .airflow3 .airflow2 .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
