#!/usr/bin/env bash
# Generates the Go stubs from the contract, here or in the folder given. Needs go, and the project's
# .venv, whose grpcio-tools brings protoc; the generators are pinned in go.mod.
set -euo pipefail
out=$(realpath "${1:-$(dirname "$0")}")
cd "$(dirname "$0")"

tools=$PWD/../../build/tools/go
GOBIN=$tools go install tool

PATH=$tools:$PATH ../../.venv/bin/python -m grpc_tools.protoc -I../../proto \
  --go_out="$out" --go_opt=module=headrace.dev/go \
  --go-grpc_out="$out" --go-grpc_opt=module=headrace.dev/go \
  headrace/v1/headrace.proto
