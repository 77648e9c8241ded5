#!/usr/bin/env bash
# Install into .venv what a CPU needs and run the main job on synthetic scans; run again to resume.
# Options go to `wsegpc quickstart`: --method-only, --seed N.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/environment.sh
tools/setup_env.sh cpu
exec .venv/bin/wsegpc quickstart "$@"
