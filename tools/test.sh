#!/usr/bin/env bash
# Install into .venv what the tests need, check the style, run all tests: fast ones first, then slow.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/environment.sh
tools/setup_env.sh cpu test
cores=$(nproc)
.venv/bin/python -m ruff check
.venv/bin/python -m ruff format --check
# A process a core, each with one thread; a file's tests share its fixtures.
OMP_NUM_THREADS=1 .venv/bin/python -m pytest -q -m 'not slow' \
    -n "$((cores < 4 ? cores : 4))" --dist loadfile
OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}" .venv/bin/python -m pytest -q -m slow -rs --durations=5
