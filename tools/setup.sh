#!/usr/bin/env bash
# Make an environment with the pinned requirements, mmcv's operators compiled. A second call returns at once.
# Environment: PYTHON to build on (python3.11, 3.12, 3.13 or 3.10, the first that is there), STACK of OpenMMLab's packages
# (upstream, or forks: their maintained forks; by the Python), VENV for its folder (.venv), MAX_JOBS (all cores) for the
# compiler. uv installs the packages where it is there, pip otherwise.
set -euo pipefail
unset CDPATH PYTHONPATH PYTHONHOME  # packages found there would be taken for installed
export PIP_USER=0
cd "$(dirname "$0")/.."

fail() {
    echo "error: $1" >&2
    exit 2
}

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

has_gpu() { [ -n "${CUDA_VISIBLE_DEVICES-all}" ] && command -v nvidia-smi > /dev/null && nvidia-smi -L > /dev/null 2>&1; }

# mmcv's operators load, and include those for the GPU if there is one.
operators_fit() {
    "$venv/bin/python" -W ignore -c 'import sys, torch, mmcv._ext as operators
sys.exit(torch.cuda.is_available() and operators.get_compiling_cuda_version() == "not available")'
}

venv=${VENV:-.venv}
stamp="$venv/complete"
wanted=$(cat requirements.txt requirements/*.txt pyproject.toml tools/setup.sh | sha256sum | cut -d ' ' -f 1)
kernels=dmsca_mm/attention/dmsca/cpu/compile_kernels.py
# Return early where the environment matches requirements, options and place: its scripts name its folder.
if [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && read -r made made_version made_stack place < "$stamp" &&
    [ "$made" = "$wanted" ] && [ "$place" = "$(pwd -P)" ] &&
    [ "${STACK:-$made_stack}" = "$made_stack" ] &&
    { [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$made_version" ]; } &&
    { ! has_gpu || operators_fit 2> /dev/null; }; then  # a login node, which may have made it, has none
    "$venv/bin/python" "$kernels" --quiet || true  # anew where their sources have changed
    exit 0
fi

python=${PYTHON:-$(for name in python3.11 python3.12 python3.13 python3.10 python3; do
    "$name" -c '' 2> /dev/null && echo "$name" && break
done || true)}
[ -n "$python" ] && command -v "$python" > /dev/null || fail "no Python found: install Python 3.11, or name it: PYTHON=/path/to/python3.11 make setup"
version=$(version_of "$python")
case $version in
    3.10 | 3.11 | 3.12) stack=upstream reason="mmcv builds on Python $version" ;;
    3.13) stack=forks reason="upstream mmcv does not build on Python $version" ;;
    *) fail "Python $version is not supported: the pinned packages were tested on 3.10 to 3.13; name one: PYTHON=/path/to/python3.11 make setup" ;;
esac
if [ -n "${STACK:-}" ]; then
    stack=$STACK reason="STACK=$STACK"
fi
case $stack in
    upstream) requirements=requirements.txt ;;
    forks) requirements=requirements/forks.txt ;;
    *) fail "STACK=$stack is no stack of packages: give upstream or forks" ;;
esac
needed_gib=10

read -ra compiler <<< "${CXX:-c++}"  # it may have a launcher before it and flags behind
command -v "${compiler[0]}" > /dev/null || fail "no C++ compiler (${compiler[0]}): mmcv's operators have to be compiled; install one, on Debian: apt-get install g++"
headers=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
[ -f "$headers/Python.h" ] || fail "Python's headers are missing ($headers/Python.h): install them, on Debian: apt-get install python$version-dev"
if has_gpu; then
    needed_gib=20
    command -v nvcc > /dev/null || fail "there is a GPU but no nvcc: mmcv's CUDA operators need the CUDA toolkit; install it, or hide the GPU: CUDA_VISIBLE_DEVICES= make setup"
fi
place=$venv
until [ -e "$place" ]; do place=$(dirname "$place"); done
free_gib=$(($(df -Pk "$place" | awk 'NR == 2 { print $4 }') / 1048576))
[ "$free_gib" -ge "$needed_gib" ] || fail "too little disk: $free_gib GiB free in $place, $needed_gib GiB needed; make room, or name a folder elsewhere: VENV=FOLDER make setup"

if [ -n "$(ls -A "$venv" 2> /dev/null)" ] && [ ! -f "$venv/setup.log" ]; then
    fail "$venv holds something that this set-up has not made: remove it, or name another folder: VENV=FOLDER make setup"
fi
exec 9< tools/setup.sh  # locked until the installers have ended, too
flock --nonblock --conflict-exit-code 75 9 2> /dev/null || [ $? != 75 ] ||
    fail "another set-up is running in this checkout: wait for it, or end it"

started=$SECONDS
say() { echo "setup: $1 ($((SECONDS - started)) s)"; }

say "making $venv with Python $version and the $stack packages ($reason)"
rm -f "$stamp"
log="$venv/setup.log"
trap 'rm -rf "$venv"; exit 130' INT TERM HUP  # without its log it would be taken for someone else's
"$python" -m venv --clear "$venv" || {
    code=$?
    rm -rf "$venv"
    exit "$code"
}
: > "$log"
trap - INT TERM HUP
install=("$venv/bin/python" -m pip --disable-pip-version-check install --no-build-isolation)
again=(--no-cache-dir --force-reinstall)
if uv --version > /dev/null 2>&1; then  # it does not read pip's settings
    install=(uv pip install --python "$venv/bin/python" --no-build-isolation --compile-bytecode)
    again=(--no-cache --reinstall)
    links=${PIP_FIND_LINKS:-}
    export UV_FIND_LINKS="${UV_FIND_LINKS:-${links// /,}}"
    [ -z "${PIP_INDEX_URL:-}" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$PIP_INDEX_URL}"
    [ -z "${PIP_EXTRA_INDEX_URL:-}" ] || export UV_INDEX="${UV_INDEX:-$PIP_EXTRA_INDEX_URL}"
fi

# Run a command with its output in the log; say how long it has been going on, and for a compilation how far it is.
logged() {
    local what=$1
    shift
    say "$what"
    : > "$log.part"
    set -m  # a process group of its own, which a signal can end with its compilers
    "$@" > "$log.part" 2>&1 < /dev/null &
    local job=$! waited=0 state
    set +m
    trap 'kill -- "-$job" 2> /dev/null; exit 130' INT TERM HUP
    while kill -0 "$job" 2> /dev/null; do
        sleep 1
        waited=$((waited + 1))
        if [ $((waited % 20)) = 0 ]; then
            # "[12/77]" of ninja, which pip indents and uv labels.
            state=$(grep -aoE '^ *(DEBUG +)?\[[0-9]+/[0-9]+\]' "$log.part" | tail -n 1 | grep -o '\[.*' || true)
            say "  still $what${state:+, compiled files $state}"
        fi
    done
    if ! wait "$job"; then
        cat "$log.part" >> "$log"
        tail -n 20 "$log" >&2
        fail "$what failed; the whole log is in $log"
    fi
    trap - INT TERM HUP
    cat "$log.part" >> "$log"
    rm -f "$log.part"
}

# What mmcv's build looks for.
grep -hE '^(torch|setuptools|wheel|ninja|psutil|numpy)==' "$requirements" requirements/common.txt requirements/python3.10.txt \
    > "$venv/build-requirements.txt"
logged "installing torch and build tools" "${install[@]}" -r "$venv/build-requirements.txt"

# Python's own flags compile with -O3 -g: twice the time and twenty times the size.
export CFLAGS="-O2 -g0" MAX_JOBS="${MAX_JOBS:-$(nproc)}"
mmcv=$(grep -E '^(onedl-)?mmcv==' "$requirements")
logged "installing $mmcv, compiling its operators if pip has no wheel of it (6 to 16 minutes on two cores)" \
    "${install[@]}" -v --no-deps "$mmcv"
logged "installing the rest" "${install[@]}" -r "$requirements"
"$venv/bin/python" -c 'import triton' 2> /dev/null ||
    logged "installing Triton, whose interpreter tests the GPU kernels" "${install[@]}" -r requirements/cpu.txt
if ! reason=$("$venv/bin/python" -c 'import cv2' 2>&1); then
    fail "OpenCV does not load (${reason##*$'\n'}): install the library that it lacks, on Debian: apt-get install libgl1 libglib2.0-0"
fi
if ! operators_fit >> "$log" 2>&1; then
    logged "building $mmcv again: the wheel that pip had kept does not fit this torch, or lacks the GPU's operators" \
        "${install[@]}" -v --no-deps "${again[@]}" "$mmcv"
    operators_fit >> "$log" 2>&1 || fail "mmcv's operators do not load; the log is in $log"
fi
logged "installing dmsca_mm" "${install[@]}" --no-deps -e .
say "building the CPU kernels"
"$venv/bin/python" "$kernels" || true
echo "$wanted $version $stack $(pwd -P)" > "$stamp"
say "done: $venv is ready"
