#!/usr/bin/env bash
# Generates the TypeScript stubs from the contract, into src/gen or the folder given. Needs npm, and the
# project's .venv, which brings protoc and the google.rpc contracts; ts-proto is pinned in package.json.
set -euo pipefail
out=$(realpath "${1:-$(dirname "$0")/src/gen}")
cd "$(dirname "$0")"

[ -x node_modules/.bin/protoc-gen-ts_proto ] || npm ci --no-audit --no-fund --ignore-scripts
python=../../.venv/bin/python
common=$($python -c 'import pathlib, google.rpc; print(pathlib.Path(google.rpc.__path__[0]).parents[1])')
options=env=node,esModuleInterop=true,importSuffix=.js,oneof=unions-value
options+=,outputServices=grpc-js,outputJsonMethods=false,useExactTypes=false

$python -m grpc_tools.protoc -I../../proto -I"$common" \
  --plugin=protoc-gen-ts_proto=node_modules/.bin/protoc-gen-ts_proto \
  --ts_proto_out="$out" --ts_proto_opt="$options" \
  headrace/v1/headrace.proto google/rpc/error_details.proto google/rpc/status.proto
