#!/usr/bin/env bash
# Test a checkpoint on a Slurm partition.
#   tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of tools/test.py]
# Environment: as tools/slurm_train.sh.
set -euo pipefail
if [ $# -lt 4 ]; then
    echo "error: usage: tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of tools/test.py]" >&2
    exit 2
fi
exec "$(dirname "$0")/slurm_run.sh" "$1" "$2" "$(dirname "$0")/test.py" "${@:3}"
