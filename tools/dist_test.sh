#!/usr/bin/env bash
# Test a checkpoint in N processes, one per GPU, or on the CPU without a GPU.
#   tools/dist_test.sh CONFIG CHECKPOINT N [arguments of tools/test.py]
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT for several nodes; PYTHON for another interpreter.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "error: usage: tools/dist_test.sh CONFIG CHECKPOINT N [arguments of tools/test.py]" >&2
    exit 2
fi
exec "${PYTHON:-python}" -m dmsca_mm.runtime.launch "$(dirname "$0")/test.py" "$3" "$1" "$2" "${@:4}"
