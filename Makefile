# Everything a person or a machine runs here. `make` alone lists it.

VENV := .venv
BIN := $(VENV)/bin
# The first of these that really runs, is new enough, and can make an environment. A name on the PATH proves nothing:
# version managers put stand-ins there, and Debian packages Python without ensurepip.
FIND_PYTHON = for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python python3.14; do \
	if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$$python"; exit; fi; done
# Tests run side by side, a worker for each processor and no more than four, since each holds half a gigabyte. A worker
# that is done takes tests of another; in the browser it takes whole files, whose tests share a dashboard. With
# WORKERS=0 all run in one process, as a debugger wants it.
WORKERS := logical
SIDE_BY_SIDE = -n $(WORKERS) --maxprocesses 4
# Quiet, and without the question whether pip itself is new.
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run test test-postgres lint types contracts browser trust bench sample clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/.run ## install what is needed, then serve the dashboard (8501) and the API (8000)
	@exec $(BIN)/python -m detector serve $(ARGS)

test: $(VENV)/.test ## install what the tests need, then run all of them but the browser's
	$(BIN)/python -m pytest -m "not browser" $(SIDE_BY_SIDE) --dist worksteal $(ARGS)

test-postgres: $(VENV)/.test ## run the same tests on PostgreSQL, whose server programs have to be installed
	$(BIN)/python -m pytest -m "not browser" --database postgres $(SIDE_BY_SIDE) --dist worksteal $(ARGS)

lint: $(VENV)/.test ## check style and form
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test ## check types, strictly
	$(BIN)/mypy

contracts: $(VENV)/.test ## check that imports point down only
	$(BIN)/lint-imports

browser: $(VENV)/.test ## drive the real pages in Chromium
	$(BIN)/python -m pytest -m browser $(SIDE_BY_SIDE) --dist loadfile $(ARGS)

trust: $(VENV)/.test ## check every promise at full size and print promise, figure, verdict; ARGS="P1 P5" for some
	$(BIN)/python -m trust $(ARGS)

bench: $(VENV)/.bench ## measure, beside the peers; DATA=folder of labelled .npz files, CARDS=, TABLES= folders of tables, MLSERVER_PYTHON=
	$(BIN)/python -m benchmarks.forest
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.explaining
	$(BIN)/python -m benchmarks.big_files --rows 2000000
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.spark
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.mlserver $(if $(MLSERVER_PYTHON),--mlserver-python $(MLSERVER_PYTHON))
	$(if $(CARDS),$(BIN)/python -m benchmarks.behaviour --data $(CARDS),@echo "Without CARDS=folder, benchmarks.behaviour is left out.")
	$(if $(TABLES),$(BIN)/python -m benchmarks.transactions --data $(TABLES),@echo "Without TABLES=folder, benchmarks.transactions is left out.")
	@test -n "$(DATA)" || echo "Without DATA=folder, the benchmarks on labelled sets are left out."
	$(if $(DATA),$(BIN)/python -m benchmarks.detection --data $(DATA))
	$(if $(DATA),$(BIN)/python -m benchmarks.drift --data $(DATA))
	$(if $(DATA),$(BIN)/python -m benchmarks.holes --data $(DATA))
	$(if $(DATA),$(BIN)/python -m benchmarks.adapting --data $(DATA))
	$(if $(DATA),$(BIN)/python -m benchmarks.streams --data $(DATA))
	$(if $(DATA),$(BIN)/python -m benchmarks.stability --data $(DATA))
	$(if $(DATA),$(BIN)/python -m benchmarks.severity --data $(DATA))
	$(if $(DATA),$(BIN)/python -m benchmarks.evolving --data $(DATA))
	$(if $(DATA),$(BIN)/python -m benchmarks.feedback --data $(DATA) $(if $(TABLES),--tables $(TABLES)))

sample: $(VENV)/.run ## write the sample data again
	$(BIN)/python -m detector sample --out sample_data

clean: ## remove the environment and all caches; models and data stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov
	find . -type d -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
		echo "Python 3.11 or newer is needed, with its venv module; none was found." \
			"Install it, or name one: make run PYTHON=/path/to/python3" >&2; exit 1; fi; \
	echo "Making $(VENV) with $$("$$python" --version)."; \
	"$$python" -m venv $(VENV)

# A stamp is written last, so an installation that broke off is taken up again, and a finished one costs nothing.
$(VENV)/.run: requirements.txt | $(BIN)/python
	@echo "Installing requirements.txt; this takes a few minutes the first time."
	@$(PIP) -r requirements.txt
	@echo "Compiling; this takes half a minute, once."
	@$(BIN)/python -c "import detector"
	@touch $@

$(VENV)/.test: requirements.txt requirements-s3.txt requirements-spark.txt requirements-test.txt | $(BIN)/python
	@echo "Installing requirements-test.txt; this takes a few minutes the first time."
	@$(PIP) -r requirements-test.txt
	@touch $@

$(VENV)/.bench: requirements.txt requirements-s3.txt requirements-spark.txt requirements-test.txt requirements-bench.txt | $(BIN)/python
	@echo "Installing requirements-bench.txt; this takes a few minutes the first time."
	@$(PIP) -r requirements-bench.txt
	@touch $@
