#!/usr/bin/env bash
# Make an environment with the pinned requirements, mmcv's operators compiled. A second call returns at once.
#   tools/setup.sh          .venv: OpenMMLab's own packages, requirements.txt
#   tools/setup.sh forks    .venv-forks: their maintained forks, requirements/forks.txt
# Environment: PYTHON (python3.11) to build on, MAX_JOBS (all cores) for the compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "error: $1" >&2
    exit 2
}

case ${1:-} in
    '') venv=.venv requirements=requirements.txt make="make setup" ;;
    forks) venv=.venv-forks requirements=requirements/forks.txt make="make test-forks" ;;
    *) fail "$1 is no stack of packages: tools/setup.sh takes forks, or nothing for the default" ;;
esac
needed_gib=10
stamp="$venv/complete"
wanted="$(cat "$requirements" requirements/common.txt requirements/cpu.txt pyproject.toml tools/setup.sh | sha256sum)"
kernels=dmsca_mm/attention/dmsca/cpu/compile_kernels.py
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    if [ -x "$venv/bin/python" ]; then  # the CPU kernels anew where their sources have changed
        "$venv/bin/python" "$kernels" --quiet || true
    fi
    exit 0
fi

python=${PYTHON:-$(command -v python3.11 || command -v python3 || true)}
[ -n "$python" ] && command -v "$python" > /dev/null || fail "no Python found: install Python 3.11, or name it: PYTHON=/path/to/python3.11 $make"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ "$version" = 3.11 ] || fail "Python $version is not supported: the pinned packages were tested on 3.11; name one: PYTHON=/path/to/python3.11 $make"
compiler=${CXX:-c++}
command -v "$compiler" > /dev/null || fail "no C++ compiler ($compiler): mmcv's operators have to be compiled; install one, on Debian: apt-get install g++"
headers=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
[ -f "$headers/Python.h" ] || fail "Python's headers are missing ($headers/Python.h): install them, on Debian: apt-get install python3.11-dev"
if command -v nvidia-smi > /dev/null && nvidia-smi -L > /dev/null 2>&1; then
    needed_gib=20
    command -v nvcc > /dev/null || fail "there is a GPU but no nvcc: mmcv's CUDA operators need the CUDA toolkit; install it, or hide the GPU: CUDA_VISIBLE_DEVICES= $make"
fi
free_gib=$(($(df -Pk . | awk 'NR == 2 { print $4 }') / 1048576))
[ "$free_gib" -ge "$needed_gib" ] || fail "too little disk: $free_gib GiB free here, $needed_gib GiB needed; make room, or check out elsewhere"

started=$SECONDS
say() { echo "setup: $1 ($((SECONDS - started)) s)"; }
pip=("$venv/bin/python" -m pip --disable-pip-version-check)

say "making $venv with Python $version"
rm -f "$stamp"
"$python" -m venv --clear "$venv"
log="$PWD/$venv/setup.log"

# Run a command with its output in the log; say how long it has been going on, and for a compilation how far it is.
logged() {
    local what=$1
    shift
    say "$what"
    : > "$log.part"
    "$@" > "$log.part" 2>&1 &
    local job=$! waited=0 state
    while kill -0 "$job" 2> /dev/null; do
        sleep 1
        waited=$((waited + 1))
        if [ $((waited % 20)) = 0 ]; then
            state=$(grep -aoE '^\[[0-9]+/[0-9]+\]' "$log.part" | tail -n 1 || true)
            say "  still $what ${state:+, compiled files $state}"
        fi
    done
    if ! wait "$job"; then
        cat "$log.part" >> "$log"
        tail -n 20 "$log" >&2
        fail "$what failed; the whole log is in $log"
    fi
    cat "$log.part" >> "$log"
    rm -f "$log.part"
}

# What mmcv's build looks for.
grep -hE '^(torch|setuptools|wheel|ninja|psutil|numpy)==' "$requirements" requirements/common.txt \
    > "$venv/build-requirements.txt"
logged "installing torch and build tools" "${pip[@]}" install -r "$venv/build-requirements.txt"

# Python's own flags compile with -O3 -g: twice the time and twenty times the size.
export CFLAGS="-O2 -g0" MAX_JOBS="${MAX_JOBS:-$(nproc)}"
mmcv=$(grep -E '^(onedl-)?mmcv==' "$requirements")
logged "installing $mmcv, compiling its operators if pip has no wheel of it (6 to 16 minutes on two cores)" \
    "${pip[@]}" install -v --no-build-isolation --no-deps "$mmcv"
logged "installing the rest" "${pip[@]}" install --no-build-isolation -r "$requirements"
"$venv/bin/python" -c 'import triton' 2> /dev/null ||
    logged "installing Triton, whose interpreter tests the GPU kernels" "${pip[@]}" install -r requirements/cpu.txt
if ! "$venv/bin/python" -W ignore -c 'import torch, mmcv._ext' >> "$log" 2>&1; then
    logged "building $mmcv again: the wheel that pip had kept does not fit this torch" \
        "${pip[@]}" install -v --no-build-isolation --no-deps --no-cache-dir --force-reinstall "$mmcv"
    "$venv/bin/python" -W ignore -c 'import torch, mmcv._ext' >> "$log" 2>&1 || fail "mmcv's operators do not load; the log is in $log"
fi
logged "installing dmsca_mm" "${pip[@]}" install --no-build-isolation --no-deps -e .
say "building the CPU kernels"
"$venv/bin/python" "$kernels" || true
echo "$wanted" > "$stamp"
say "done: $venv is ready"
