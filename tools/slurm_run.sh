#!/usr/bin/env bash
# Shared by slurm_train.sh and slurm_test.sh: srun one Python script with one task per GPU.
set -euo pipefail
partition=$1 job=$2 script=$3
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
if [ "$gpus" -lt "$per_node" ]; then per_node=$gpus; fi
if [ "$gpus" -gt 0 ]; then
    resources=(--gres="gpu:$per_node" --ntasks="$gpus" --ntasks-per-node="$per_node")
else
    resources=(--ntasks="${TASKS:-1}")
fi
# SRUN_ARGS holds several words on purpose.
# shellcheck disable=SC2086
exec srun -p "$partition" --job-name="$job" "${resources[@]}" --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 ${SRUN_ARGS:-} "${PYTHON:-python}" -u "$script" "${@:4}" --launcher slurm
