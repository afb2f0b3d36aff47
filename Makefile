# Everything that people and CI run. `make` alone lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Processes that test: each holds an encoder or two, some 2 GB.
JOBS ?= 2
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb notebooks/solutions/*.ipynb))
ARTICLE := $(sort $(wildcard notebooks/0[123]_*.ipynb))
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: help setup run test fuzz coverage page notebooks bench kills docs dist lint format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/installed ## install everything into .venv

# Few of the 20,000 modules are ever imported: Python compiles those, when they are.
$(VENV)/installed: requirements.txt requirements-no-deps.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11, 4) <= sys.version_info < (3, 14) else f"Python 3.11.4 to 3.13 is needed, this is {sys.version}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile -r requirements.txt -e .
	$(BIN)/python -m pip install --quiet --no-compile --no-deps -r requirements-no-deps.txt
	touch $@

run: setup ## the article, from baseline to tuned: notebooks 1 to 3, then the table
	$(BIN)/jupyter nbconvert --log-level WARN --to notebook --execute --output-dir outputs $(ARTICLE)
	@echo; cat outputs/results.txt
	@echo; echo "Executed notebooks and pictures:"; ls outputs/*.ipynb outputs/*.png

test: setup ## unit tests, and every notebook under nbval on the shipped data
	$(BIN)/python -m pytest tests -n $(JOBS) --dist loadfile
	USETUNE_DATA= $(BIN)/python -m pytest --nbval-lax -n $(JOBS) --dist loadfile $(NOTEBOOKS)

fuzz: setup ## 27,000 damaged and made-up inputs for every reader; FUZZ="--seed 1 --only CSV"
	$(BIN)/python -m tools.fuzz $(FUZZ)

coverage: setup ## unit tests, and which lines of the package they run
	$(BIN)/python -m pytest tests -n $(JOBS) --dist loadfile --cov --cov-report=term:skip-covered

page: setup ## open a page to try the encoder; TUNED=folder shows a tuned one beside it
	$(BIN)/python -m usetune page $(if $(TUNED),--tuned $(TUNED))

notebooks: setup ## run the notebooks and store their outputs
	$(BIN)/jupyter nbconvert --log-level WARN --to notebook --execute --inplace $(NOTEBOOKS)
	$(BIN)/nbstripout --drop-output-type stream:stderr --keep-output --keep-count $(NOTEBOOKS)

bench: $(VENV)/bench ## measure speed and memory beside other ways to do it
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/scaling.py
	$(BIN)/python benchmarks/large_batch.py
	$(BIN)/python benchmarks/corpus.py
	$(BIN)/python benchmarks/corpus_encoders.py

$(VENV)/bench: $(VENV)/installed benchmarks/requirements.txt benchmarks/requirements-no-deps.txt
	$(BIN)/python -m pip install --quiet -r benchmarks/requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps -r benchmarks/requirements-no-deps.txt
	touch $@

kills: setup ## kill calls at random moments, call again, and compare
	RAY_AUTH_MODE=disabled $(BIN)/python tools/kills.py

docs: setup ## build the site in build/docs, warnings as errors
	$(BIN)/python -m sphinx -q -W --keep-going -c docs . build/docs

dist: setup ## build wheel and sdist, and try the wheel in an empty environment
	$(BIN)/python tools/check_dist.py

lint: setup ## check style, which package imports which, and types
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/mypy

format: setup ## mend style
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

clean: ## remove what was built, run and installed
	rm -rf $(VENV) outputs logs build dist .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
