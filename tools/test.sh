#!/usr/bin/env bash
# Install into .venv what the tests need, check the style, run all tests: fast ones first, then slow.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/environment.sh
tools/setup_env.sh cpu test
.venv/bin/python -m ruff check
.venv/bin/python -m ruff format --check
# A process a core, up to four, with one thread each; a file's tests share its fixtures.
processes=$(nproc)
side_by_side=(-n "$((processes < 4 ? processes : 4))" --dist loadfile)
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
.venv/bin/python -m pytest -q -m 'not slow' "${side_by_side[@]}"
.venv/bin/python -m pytest -q -m slow -rs --durations=5 "${side_by_side[@]}"
