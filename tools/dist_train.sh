#!/usr/bin/env bash
# Train in N processes, one per GPU, or on the CPU without a GPU.
#   tools/dist_train.sh CONFIG N [arguments of tools/train.py]
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT for several nodes; PYTHON for another interpreter.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "error: usage: tools/dist_train.sh CONFIG N [arguments of tools/train.py]" >&2
    exit 2
fi
exec "${PYTHON:-python}" -m dmsca_mm.runtime.launch "$(dirname "$0")/train.py" "$2" "$1" "${@:3}"
