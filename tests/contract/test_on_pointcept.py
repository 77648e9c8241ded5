"""The contract suite once more, in a process of its own, on a real Pointcept."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]


@pytest.mark.slow
@pytest.mark.skipif("CONTRACT_ENGINE" in os.environ, reason="this is that process")
def test_contract_on_pointcept(real_pointcept):
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE)],
        env={
            **os.environ,
            "CONTRACT_ENGINE": "pointcept",
            "POINTCEPT_ROOT": real_pointcept,
            "PYTHONPATH": path,
        },
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
