# `make demo` and `make test` are all that a newcomer needs. Both show what they do, and say what failed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo-output
KILLS ?= 40
SEED ?= 1
# Many tests wait for processes: twice as many at a time as there are processors keep these busy.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) \* 2)
BENCH := .venv-bench
# Hundreds of processes import the same modules: each would compile them anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-real abuse browser bubblewrap lint format bench chaos mutants docs requirements clean
.DEFAULT_GOAL := help

help: ## what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Signoff needs Python 3.11 or newer; found: $$($(PYTHON) --version). Set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python requirements/demo.txt pyproject.toml
	@echo "installing Signoff and the demo's parts into $(VENV) (about a minute)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-compile -r requirements/demo.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.develop: $(VENV)/.demo requirements/develop.txt
	@echo "installing what tests and checks need into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-compile -r requirements/develop.txt
	@touch $@

tests/node/node_modules/.package-lock.json: tests/node/package-lock.json
	@command -v npm >/dev/null || { echo "The tests run real clients in JavaScript: install Node.js 20 or newer with npm"; exit 1; }
	cd tests/node && npm ci --silent --no-audit --no-fund
	@touch $@

# A real browser with an authenticator signs in some tests. Debian's own: its package keeps it up to date.
browser:
	@command -v chromium >/dev/null && exit 0; \
	if ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ]; then \
		echo "The tests in a browser need Chromium, and only root can install it here: apt-get install chromium."; \
		[ -z "$$CI" ] || exit 1; \
		echo "They are skipped without it."; exit 0; \
	fi; \
	echo "installing Chromium for the tests in a browser (a minute or two)"; \
	apt-get -qq update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y chromium >/dev/null || { \
		echo "Chromium could not be installed: see what apt-get install chromium says."; [ -z "$$CI" ]; }

# What isolates foreign code where a kernel has no Landlock; a test runs it as on such a kernel.
bubblewrap:
	@command -v bwrap >/dev/null && exit 0; \
	if ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ]; then \
		echo "One test needs bubblewrap, and only root can install it here: apt-get install bubblewrap. It is skipped."; \
		exit 0; \
	fi; \
	apt-get -qq update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y bubblewrap >/dev/null \
		|| echo "bubblewrap could not be installed; one test is skipped."

demo: $(VENV)/.demo ## the main job, from candidate to rollback, on real market data; results in demo-output/
	$(BIN)/signoff demo --out $(OUT)

test: $(VENV)/.develop tests/node/node_modules/.package-lock.json bubblewrap ## every test but those of test-real
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not real"

test-real: $(VENV)/.develop browser ## the tests that start PostgreSQL, an MLflow server or Chromium
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m real $$($(BIN)/python .ci/real_rooms.py --tests)

abuse: $(VENV)/.develop bubblewrap ## the attacks of public reports, replayed against server, worker and commands
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m abuse $$(grep -rl 'mark\.abuse' tests --include='test_*.py')

lint: $(VENV)/.develop ## style, types and the floors of the house
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.develop ## let ruff lay out the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

$(BENCH)/.peers: requirements/peers.txt pyproject.toml
	@echo "installing Signoff's peers into $(BENCH) (about a minute)"
	@$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-compile -r requirements/peers.txt
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

bench: $(VENV)/.develop $(BENCH)/.peers ## measure beside the peers, and print ratios
	$(BENCH)/bin/python benchmarks/bench_peers.py
	@for script in $(filter-out %_peers.py,$(wildcard benchmarks/bench_*.py)); do $(BIN)/python $$script || exit 1; done

chaos: $(VENV)/.develop ## kill, fill the disk, turn the clock, fail over, and count what was lost; KILLS=1000 for an hour of it
	$(BIN)/python benchmarks/chaos.py --kills $(KILLS)
	$(BIN)/python benchmarks/chaos.py --kills $(KILLS) --database postgresql
	@unmeasured=; for what in boundaries clock races postgres disk outside journal; do \
		echo "benchmarks/chaos_$$what.py"; $(BIN)/python benchmarks/chaos_$$what.py; status=$$?; \
		case $$status in 0) ;; 77) unmeasured="$$unmeasured $$what" ;; *) exit $$status ;; esac; done; \
	if [ -n "$$unmeasured" ]; then echo "everything else held; NOT MEASURED:$$unmeasured" >&2; exit 77; fi

$(VENV)/.mutants: $(VENV)/.develop requirements/mutants.txt
	@echo "installing mutmut into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-compile -r requirements/mutants.txt
	@touch $@

mutants: $(VENV)/.mutants ## change the code in 200 small ways, and print what no test notices; SEED=2 draws others
	$(BIN)/python benchmarks/mutants.py --seed $(SEED)

docs: $(VENV)/.develop ## write the published JSON schemas
	$(BIN)/python -m signoff.adapters.schema docs/schema

requirements: $(BIN)/python ## pin every dependency by hash, without addresses
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header --no-annotate --extra demo pyproject.toml requirements/build.in -o requirements/demo.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header --no-annotate --extra demo --extra server --group test --group lint \
		-c requirements/demo.txt pyproject.toml requirements/build.in -o requirements/develop.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header --no-annotate \
		pyproject.toml requirements/build.in requirements/peers.in -o requirements/peers.txt
	for part in desk verifier; do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		-c requirements/demo.txt requirements/$$part.in -o requirements/$$part.txt; done
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header --no-annotate -c requirements/develop.txt \
		requirements/mutants.in -o requirements/mutants.txt

clean: ## remove what was installed and written
	rm -rf $(VENV) $(BENCH) $(OUT) .mypy_cache .ruff_cache .pytest_cache .hypothesis mutants mutants.log
