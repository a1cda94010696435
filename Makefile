# headrace. `make` lists what can be made; the first call sets up .venv, later ones find it there.

ifeq ($(filter oneshell,$(.FEATURES)),)
$(error headrace needs GNU make 3.82 or newer and this is $(MAKE_VERSION); on macOS: brew install make, then gmake)
endif

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules --no-print-directory

PYTHON ?= python3
VENV ?= $(if $(filter-out python3,$(PYTHON)),build/$(notdir $(PYTHON)),.venv)
BIN := $(VENV)/bin
UV ?= $(shell command -v uv)
LISTEN ?= 127.0.0.1:50051
PYTEST_ARGS ?= -m "not slow"
BREAKING_BASES ?=

.PHONY: help
help: ## Show this list.
	@echo "headrace: make one of"
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Running

.PHONY: demo
demo: $(VENV)/run.stamp ## Run the main job: a program whose parallel branches stream side by side.
	@$(BIN)/python -m headrace.demo

.PHONY: serve
serve: $(VENV)/run.stamp ## Serve the demo programs on LISTEN (127.0.0.1:50051) until Ctrl-C.
	@exec $(BIN)/python -m headrace.demo --serve $(LISTEN)

# Checking

.PHONY: test
test: $(VENV)/dev.stamp ## Run the tests. PYTEST_ARGS= runs the slow ones too, PYTHON=python3.13 another Python.
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: test-lowest
test-lowest: $(VENV)/dev.stamp ## Run the tests on the lowest versions that pyproject.toml allows.
	@$(call resolve,build/lowest-client,lowest-direct,.)
	HEADRACE_CLIENT_PYTHON=build/lowest-client/bin/python $(BIN)/python -m pytest tests/interop/test_matrix*.py -k python
	$(call resolve,build/lowest,lowest-direct,'.[all]' --group dev)
	build/lowest/bin/python -m pytest $(PYTEST_ARGS)

.PHONY: test-newest
test-newest: $(VENV)/dev.stamp ## Run the tests on the newest versions that there are, whatever the lock says.
	@$(call resolve,build/newest,highest,'.[all]' --group dev)
	build/newest/bin/python -m pytest $(PYTEST_ARGS)

# Makes an environment anew, without the lock, as an installer would.
define resolve
$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(1)
$(BIN)/uv pip install --quiet --python $(1)/bin/python --resolution $(2) --upgrade -e $(3)
$(BIN)/uv pip list --quiet --python $(1)/bin/python
endef

.PHONY: interop
interop: $(VENV)/dev.stamp ## Run every client, in four languages, through the same cases; write docs/interop.md.
	@HEADRACE_INTEROP_PAGE=docs/interop.md $(BIN)/pytest tests/interop/test_matrix*.py

.PHONY: check
check: lint types check-proto check-lock ## Run all checks of text alone: lint, types, check-proto, check-lock.

.PHONY: format
format: $(VENV)/dev.stamp ## Repair what lint finds, where it can.
	@$(BIN)/ruff check --fix --quiet || true
	$(BIN)/ruff format --quiet

.PHONY: lint
lint: $(VENV)/dev.stamp ## Check style, the floors of the architecture, and the contract's rules.
	@$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/buf lint proto
	$(breaking)

.PHONY: types
types: $(VENV)/dev.stamp ## Check types, strictly, with mypy and pyright.
	@$(BIN)/mypy proto/generate_reasons.py service client/headrace_client tests bench
	$(BIN)/pyright

# Measuring

.PHONY: bench
bench: $(VENV)/run.stamp ## Measure every figure of docs/performance.md beside peers and limits: half an hour.
	@$(BIN)/python -m bench.report

.PHONY: bench-quick
bench-quick: $(VENV)/run.stamp ## The same, small, in five minutes. Fails when text is lost, never on time.
	@$(BIN)/python -m bench.report --quick

.PHONY: pictures
pictures: $(VENV)/dev.stamp ## Draw the documentation's pictures anew; those of the page need chromium.
	@PYTHONPATH=tests $(BIN)/python -m pictures

# The contract

PROTOC := PATH="$(CURDIR)/$(BIN):$$PATH" python -m grpc_tools.protoc -Iheadrace_proto=proto/headrace
PROTO_FILES := headrace_proto/v1/headrace.proto

.PHONY: proto
proto: reasons ## Generate the stubs from the contract, and the tables of reasons; commit all together.
	@$(call generate,proto)
	! command -v go >/dev/null || client/go/generate.sh
	! command -v npm >/dev/null || client/node/generate.sh

.PHONY: reasons
reasons: $(VENV)/dev.stamp ## Generate every table of error reasons from proto/headrace/v1/reasons.toml.
	@$(BIN)/python proto/generate_reasons.py

.PHONY: check-reasons
check-reasons: $(VENV)/dev.stamp ## Check that the committed tables are what reasons.toml generates.
	@$(BIN)/python proto/generate_reasons.py --check

.PHONY: check-proto
check-proto: check-reasons ## Check that the committed stubs are what the contract generates.
	@fresh=$$(mktemp -d)
	trap 'rm -rf "$$fresh"' EXIT
	$(call generate,$$fresh)
	for stub in "$$fresh"/headrace_proto/v1/*; do
	  diff -u "proto/$${stub#"$$fresh"/}" "$$stub" || { echo "stubs are stale: run make proto and commit"; exit 1; }
	done
	echo "stubs are fresh"

define generate
$(PROTOC) --python_out=$(1) --grpc_python_out=$(1) --mypy_out=quiet:$(1) --mypy_grpc_out=quiet:$(1) $(PROTO_FILES)
$(PROTOC) --include_imports --include_source_info --descriptor_set_out=$(1)/headrace_proto/v1/headrace.binpb $(PROTO_FILES)
endef

# Compares with each base there is; a first commit or a shallow clone has none.
define breaking
compared=
for base in $$(git describe --tags --abbrev=0 2>/dev/null || true) $(BREAKING_BASES); do
  git cat-file -e "$$base:proto/buf.yaml" 2>/dev/null || continue
  before=$$(mktemp -d)
  git archive "$$base" proto | tar -x -C "$$before"
  $(BIN)/buf breaking proto --against "$$before/proto" || { rm -rf "$$before"; exit 1; }
  rm -rf "$$before"
  echo "the contract breaks nothing of $$base"
  compared=yes
done
[ -n "$$compared" ] || echo "the contract has no base to compare with"
endef

# The lock: uv.lock, and what pip reads of it. pyproject.toml gives ranges to users, the lock versions to us.

UPGRADE ?= --upgrade
LOCKED := peers plots profilers recipes

.PHONY: lock
lock: $(VENV)/dev.stamp ## Renew the lock, to the newest versions in range; UPGRADE= keeps them where it can.
	@$(BIN)/uv lock --quiet $(UPGRADE)
	$(call export_lock,locks)
	for name in $(LOCKED); do
	  $(BIN)/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-header \
	    locks/$$name.in -o locks/$$name.txt
	done

.PHONY: check-lock
check-lock: $(VENV)/dev.stamp ## Check that the lock is that of pyproject.toml, and pip's half that of uv's.
	@$(BIN)/uv lock --quiet --check || { echo "uv.lock is stale: run make lock UPGRADE= and commit"; exit 1; }
	fresh=$$(mktemp -d)
	trap 'rm -rf "$$fresh"' EXIT
	$(call export_lock,$$fresh)
	for half in run dev; do
	  diff -u locks/$$half.txt "$$fresh/$$half.txt" || { echo "locks are stale: run make lock UPGRADE= and commit"; exit 1; }
	done
	echo "the lock is fresh"

define export_lock
$(EXPORT) --no-default-groups --extra service --extra uvloop --group build >$(1)/run.txt
$(EXPORT) --all-extras --group dev >$(1)/dev.txt
endef
EXPORT := $(BIN)/uv export --quiet --locked --no-emit-project --no-header

# Set-up: from the lock alone, by uv or pip. Stamps tell what is there, so that it is not done again.

$(VENV)/run.stamp: pyproject.toml locks/run.txt
	@echo "Setting up $(VENV); the first time this takes a minute or two."
	[ -x $(BIN)/python ] || $(if $(UV),$(make_venv_by_uv),$(make_venv))
	$(call install,locks/run.txt)
	touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp locks/dev.txt
	@echo "Installing what tests and checks need."
	$(call install,locks/dev.txt)
	touch $@

TESTED := >=3.11,<3.14
make_venv_by_uv = $(UV) venv --quiet --python '$(if $(filter-out python3,$(PYTHON)),$(PYTHON),$(TESTED))' $(VENV)
make_venv = { $(require_python); $(PYTHON) -m venv --clear $(VENV); }
INSTALL := $(if $(UV),$(UV) pip install --python $(BIN)/python,$(BIN)/python -m pip install --progress-bar off)

define install
$(INSTALL) --require-hashes --no-deps -r $(1) $(if $(UV),,| $(show_packages))
$(INSTALL) --quiet --no-deps --no-build-isolation -e .
endef

define require_python
  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
    { echo "headrace needs Python 3.11 or newer as $(PYTHON), or uv."; exit 1; }
  $(PYTHON) -c 'import ensurepip' 2>/dev/null || \
    { echo "This $(PYTHON) cannot make environments. Install one package: apt-get install python3-venv"; exit 1; }
endef

show_packages := sed -un 's/^Collecting \([A-Za-z0-9._-]*\).*/  \1/p'

.PHONY: clean
clean: ## Remove everything that make made, .venv included.
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf client/node/{node_modules,dist,build} client/java/{,example/}target
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
