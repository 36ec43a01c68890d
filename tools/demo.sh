#!/usr/bin/env bash
# Train and test a config on the built-in digits in two processes and draw predictions. "make demo" calls it.
#   tools/demo.sh faster_rcnn_r50_dmsca_digits
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$(realpath "${VENV:-.venv}")/bin:$PATH"
unset PYTHON  # "make setup" built the environment on it; tools/dist_train.sh would train with it

name=$1
config="configs/digits/$name.py"
work="work_dirs/$name"
# Two processes, or one if there is just one GPU: the schedule in the config is tuned for two.
processes=$(python -c 'import torch; print(min(torch.cuda.device_count(), 2) or 2)')

started=$SECONDS
step() { printf '\n== %s (%d s since the start)\n' "$1" "$((SECONDS - started))"; }

step "making the data set"
python tools/make_digits.py
step "training $config in $processes processes; $work is made anew"
tools/dist_train.sh "$config" "$processes" --work-dir "$work" --overwrite
step "testing on digits of writers held out from training"
rm -rf "$work/pictures"
tools/dist_test.sh "$config" "$(cat "$work/last_checkpoint")" "$processes" --work-dir "$work" --show-dir "$work/pictures" \
    | tee "$work/test.log"
step "done"
grep '^tested:' "$work/test.log"
echo "pictures, ground truth on the left, predictions on the right:"
python tools/contact_sheet.py "$work/pictures" "$work/pictures.png"
echo "all of it on one page: ${VENV:-.venv}/bin/python tools/report.py $work"
