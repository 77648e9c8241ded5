#!/usr/bin/env bash
# Make .venv in the repository with the given extras of setup.cfg, or reuse a finished one.
#
#     tools/setup_env.sh cpu test
#
# PYTHON=/path/to/python chooses the interpreter. All files, caches included, stay in .venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

needed_gb=10 # the packages of [cpu,test] and, while they are installed, their downloads

stop() {
    echo "setup_env: $*" >&2
    exit 1
}

supported() { # is this a Python that we run on?
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        supported "$PYTHON" || stop "PYTHON=$PYTHON is not Python 3.10 to 3.14"
        echo "$PYTHON"
        return
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
        if supported "$name"; then
            command -v "$name"
            return
        fi
    done
    stop "Python 3.10 to 3.14 is needed, found $(python3 --version 2>/dev/null || echo none);" \
        "sudo apt-get install python3 python3-venv, or set PYTHON=/path/to/python"
}

check_venv_module() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    local version
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    stop "$1 lacks venv: sudo apt-get install python$version-venv"
}

check_disk() {
    local free_gb
    free_gb=$(($(df -Pk . | awk 'NR == 2 {print $4}') / 1024 / 1024))
    [ "$free_gb" -ge "$needed_gb" ] ||
        stop "$PWD needs $needed_gb GB of free disk for .venv, has $free_gb"
}

pip() { # output to the log, its latest line to the terminal
    TMPDIR="$PWD/.venv/tmp" PIP_USER=0 .venv/bin/python -m pip --no-cache-dir "$@" \
        --progress-bar off 2>&1 | tee -a .venv/install.log |
        while IFS= read -r line; do
            [ -t 2 ] && printf '\r\033[K  %3d s  %s' "$SECONDS" "${line:0:90}" >&2 || true
        done
    local status=${PIPESTATUS[0]}
    [ -t 2 ] && printf '\r\033[K' >&2
    return "$status"
}

install() { # extras, separated by commas
    echo "Installing into $PWD/.venv with $(.venv/bin/python --version): about 3 GB to download"
    : >.venv/install.log
    mkdir -p .venv/tmp
    pip download --retries 1 --no-deps --dest .venv/tmp pip ||
        stop "pip cannot reach its package index: no network? details: $PWD/.venv/install.log"
    { pip install --upgrade pip && pip install --editable ".[$1]"; } ||
        stop "$(grep -m 1 -i '^ERROR' .venv/install.log || echo 'pip failed');" \
            "details: $PWD/.venv/install.log"
    rm -rf .venv/tmp
    echo "Installed in $SECONDS s"
}

fingerprint() { # changes with the requirements, and where the repository is moved
    { cat setup.cfg && pwd; } | sha256sum | cut -d ' ' -f 1
}

finished() {
    local extra
    for extra in "$@"; do
        [ "$(cat ".venv/installed-$extra" 2>/dev/null)" = "$(fingerprint)" ] || return
    done
    .venv/bin/python -c '' 2>/dev/null
}

main() {
    unset PYTHONPATH PYTHONHOME
    finished "$@" && return
    local python extra
    python=$(find_python)
    check_venv_module "$python"
    check_disk
    local clear=--clear # what cannot run, such as that of a removed Python, is made anew
    .venv/bin/python -c '' 2>/dev/null && clear=
    "$python" -m venv $clear .venv
    install "$(IFS=, && echo "$*")"
    for extra in "$@"; do
        fingerprint >".venv/installed-$extra"
    done
}

main "$@"
