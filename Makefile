# Everything starts here: `make course` and `make test` set up what they need.
# `make` alone lists the targets.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
READY := $(VENV)/.ready-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
PS ?= ps2_surrogates
PORT ?= 8000
JOBS ?= 2
SITE := build/site/index.html

# One thread of torch in each process: the tests and the grader run several processes side by side.
course quick test grade bench bench-grade slips soak: export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help course quick test lab site pdf serve exercises grade bench bench-grade slips soak experiments-check lint env clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

course: env ## set up, build the site and the exercises, grade the sample submissions
	@$(PY) tools/course.py

quick: env ## style, types and the tests that answer at once; says what it leaves out
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(PY) -m pytest -q -n $(JOBS) --dist loadgroup -m quick

test: env ## everything once: style, types, the book, every test but the soak
	@$(PY) tools/build_book.py
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(PY) -m pytest -n $(JOBS) --dist loadgroup --cov --cov-report=term --cov-report=xml:build/coverage.xml

lint: env ## style and types only
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

env: $(READY) ## create or update the environment
$(READY):
	@if [ -z "$(PYTHON)" ]; then \
		echo "make: the course needs Python 3.11 or newer and found none on the PATH; install one and run: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; fi
	@$(PYTHON) tools/make_env.py $(VENV)
	@rm -f $(VENV)/.ready-* && touch $@

site: env ## build the website (strictly) into build/site
	@$(PY) tools/build_book.py

pdf: site ## print the whole book into one PDF (needs Chromium), linked on the landing page
	@$(PY) -m tools.make_pdf

serve: site ## serve the website on loopback (PORT=8000)
	@echo "http://127.0.0.1:$(PORT)/  (Ctrl-C ends it)"
	@$(PY) -m http.server $(PORT) --bind 127.0.0.1 --directory $(dir $(SITE))

exercises: env ## generate the student notebooks and the project's files from solutions/
	@$(BIN)/snngrade release
	@$(PY) tools/project.py

lab: exercises ## open JupyterLab on the exercises
	@$(BIN)/jupyter lab --notebook-dir exercises

grade: env ## grade submissions: make grade PS=ps2_surrogates SUBMISSIONS=folder-or-zip
	@if [ -z "$(SUBMISSIONS)" ]; then echo "make grade: name the submissions: make grade PS=$(PS) SUBMISSIONS=folder-or-zip" >&2; exit 2; fi
	@$(BIN)/snngrade grade $(PS) $(SUBMISSIONS)

bench: env ## time snnkit against its peers and the floor (writes build/bench.json)
	@$(PY) -m benchmarks.run

bench-grade: env ## time the grader against stock nbgrader (writes build/bench-grade.json)
	@$(PY) -m benchmarks.grading

slips: env ## what slips of the language are told, and that no right answer in another style is refused
	@$(PY) -m autograder.proof slips

soak: env ## for a night: many seeds and examples, large corpora, 1,000 submissions while processes are killed
	$(PY) -m pytest -n $(JOBS) --dist loadgroup --hypothesis-profile=soak -m "soak or hypothesis"
	@$(PY) -m tools.soak
	@$(PY) -m tools.soak_load

experiments-check: env ## re-run every experiment in its quick form and check the result files
	@$(PY) -m pytest -q tests/experiments

clean: ## remove the environment and everything generated
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
