#!/usr/bin/env bash
# Train on a Slurm partition.
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of tools/train.py]
# Environment: GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5), SRUN_ARGS; on the CPU: GPUS=0 and TASKS (1).
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "error: usage: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of tools/train.py]" >&2
    exit 2
fi
exec "$(dirname "$0")/slurm_run.sh" "$1" "$2" "$(dirname "$0")/train.py" "${@:3}"
