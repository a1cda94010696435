# headrace. `make` lists what can be made; the first call sets up .venv, later ones find it there.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules --no-print-directory

BIN := .venv/bin
LISTEN ?= 127.0.0.1:50051
PYTEST_ARGS ?= -m "not slow"
BREAKING_BASES ?= origin/main main

.PHONY: help
help: ## Show this list.
	@echo "headrace: make one of"
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Running

.PHONY: demo
demo: .venv/run.stamp ## Run the main job: a program whose parallel branches stream side by side.
	@$(BIN)/python -m headrace.demo

.PHONY: serve
serve: .venv/run.stamp ## Serve the demo programs on LISTEN (127.0.0.1:50051) until Ctrl-C.
	@exec $(BIN)/python -m headrace.demo --serve $(LISTEN)

# Checking

.PHONY: test
test: .venv/dev.stamp ## Run the tests. PYTEST_ARGS= runs the slow ones too.
	@$(BIN)/pytest $(PYTEST_ARGS)

.PHONY: interop
interop: .venv/dev.stamp ## Run every client, in four languages, through the same cases; write docs/interop.md.
	@HEADRACE_INTEROP_PAGE=docs/interop.md $(BIN)/pytest tests/interop/test_matrix.py

.PHONY: check
check: lint types check-proto ## Run everything that checks without running: lint, types, check-proto.

.PHONY: format
format: .venv/dev.stamp ## Repair what lint finds, where it can.
	@$(BIN)/ruff check --fix --quiet || true
	$(BIN)/ruff format --quiet

.PHONY: lint
lint: .venv/dev.stamp ## Check style, the floors of the architecture, and the contract's rules.
	@$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/buf lint proto
	$(breaking)

.PHONY: types
types: .venv/dev.stamp ## Check types, strictly, with mypy and pyright.
	@$(BIN)/mypy service client/headrace_client tests bench
	$(BIN)/pyright

# Measuring

.PHONY: bench
bench: .venv/run.stamp ## Measure every figure of docs/performance.md beside peers and limits: half an hour.
	@$(call check_loop)
	$(BIN)/python -m bench.report

.PHONY: bench-quick
bench-quick: .venv/run.stamp ## The same, small, in five minutes. Fails when text is lost, never on time.
	@$(call check_loop)
	$(BIN)/python -m bench.report --quick

# The bench compares both event loops.
define check_loop
$(BIN)/python -c 'import uvloop' 2>/dev/null || if command -v uv >/dev/null; then
  uv pip install --python $(BIN)/python -e '.[service,cli,uvloop]'
else
  $(BIN)/python -m pip install --quiet -e '.[service,cli,uvloop]'
fi
endef

# The contract

PROTOC := PATH="$(CURDIR)/$(BIN):$$PATH" python -m grpc_tools.protoc -Iheadrace_proto=proto/headrace
PROTO_FILES := headrace_proto/v1/headrace.proto

.PHONY: proto
proto: .venv/dev.stamp ## Generate the stubs from the contract; commit both together.
	@$(call generate,proto)
	! command -v go >/dev/null || client/go/generate.sh
	! command -v npm >/dev/null || client/node/generate.sh

.PHONY: check-proto
check-proto: .venv/dev.stamp ## Check that the committed stubs are what the contract generates.
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

# Set-up: stamps in .venv, so that what is there is not done again.

.venv/run.stamp: pyproject.toml
	@command -v uv >/dev/null || $(require_python)
	echo "Setting up .venv; the first time this takes a few minutes."
	if command -v uv >/dev/null; then
	  [ -x $(BIN)/python ] || uv venv --python '>=3.11' .venv
	  uv pip install --python $(BIN)/python -e '.[service,cli]'
	else
	  [ -x $(BIN)/python ] || python3 -m venv --clear .venv
	  echo "Installing pip 25.1 or newer"
	  $(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	  echo "Installing headrace and what it runs on:"
	  $(BIN)/python -m pip install --progress-bar off -e '.[service,cli]' | $(show_packages)
	fi
	touch $@

.venv/dev.stamp: .venv/run.stamp
	@if command -v uv >/dev/null; then
	  uv pip install --python $(BIN)/python -e '.[service,cli,gateway]' --group dev
	else
	  echo "Installing what tests and checks need:"
	  $(BIN)/python -m pip install --progress-bar off -e '.[service,cli,gateway]' --group dev | $(show_packages)
	fi
	touch $@

define require_python
{
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
    { echo "headrace needs Python 3.11 or newer as python3, or uv."; exit 1; }
  python3 -c 'import ensurepip' 2>/dev/null || \
    { echo "This python3 cannot make environments. Install one package: apt-get install python3-venv"; exit 1; }
}
endef

show_packages := sed -un 's/^Collecting \([A-Za-z0-9._-]*\).*/  \1/p'

.PHONY: clean
clean: ## Remove everything that make made, .venv included.
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf client/node/{node_modules,dist,build} client/java/{,example/}target
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
