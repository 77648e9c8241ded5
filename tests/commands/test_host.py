"""Finding the engine, the report of it, and running without CUDA.

Each check runs in a fresh Python: an import path that was changed stays changed.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli import wsegpc

from pointcept_wsegpc import cpu, host
from pointcept_wsegpc.commands import info

REPOSITORY = Path(__file__).parents[2]
FIND = "from pointcept_wsegpc import host; e = host.ensure_pointcept(); print(e.is_standin, e.path)"


def python(*arguments, path=(), root=None, cwd=None):
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, [REPOSITORY, *path])))
    for name in ("POINTCEPT_ROOT", "PYTHONUNBUFFERED"):
        environment.pop(name, None)
    if root is not None:
        environment["POINTCEPT_ROOT"] = str(root)
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
    )


def make_pointcept(folder, part="utonia"):
    package = folder / "pointcept"
    (package / "models" / part).mkdir(parents=True)
    (package / "__init__.py").touch()
    return folder


@pytest.fixture(scope="module", autouse=True)
def _no_pointcept_installed():
    if (
        "None"
        not in python("-c", "import importlib.util as u; print(u.find_spec('pointcept'))").stdout
    ):
        pytest.skip("these tests need a Python without Pointcept")


def test_standin_where_there_is_none():
    code = "import logging, sys; logging.basicConfig(level=20); sys.modules['cv2'] = None; "
    result = python("-c", code + FIND + "; import pointcept.engines.train")  # needs no OpenCV
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("True")
    assert len(result.stderr.splitlines()) == 1 and "Pointcept stand-in" in result.stderr


def test_importable_pointcept_wins(tmp_path):
    first, second = make_pointcept(tmp_path / "a"), make_pointcept(tmp_path / "b")
    assert python("-c", FIND, path=[first], root=second).stdout.split() == ["False", str(first)]


def test_pointcept_root(tmp_path):
    checkout = make_pointcept(tmp_path, part="concerto")
    code = FIND + "; print(e.version); import pointcept; print(pointcept.__file__)"
    lines = python("-c", code, root=checkout).stdout.splitlines()
    assert lines == [f"False {checkout}", "1.6.1", f"{checkout}/pointcept/__init__.py"]


def test_pointcept_root_without_pointcept(tmp_path):
    result = python("-c", FIND, root=tmp_path)
    last = result.stderr.splitlines()[-1]
    assert "FileNotFoundError" in last and str(tmp_path) in last and "unset" in last


def test_current_folder_for_a_script_elsewhere(tmp_path):
    """A script of ours that is called in a Pointcept checkout finds that checkout."""
    here, root = make_pointcept(tmp_path / "a"), make_pointcept(tmp_path / "b")
    script = tmp_path / "tools" / "script.py"
    script.parent.mkdir()
    script.write_text(FIND + "; import pointcept; print(pointcept.__file__)")
    lines = python(script, cwd=here).stdout.splitlines()
    assert lines == [f"False {here}", f"{here}/pointcept/__init__.py"]
    assert python(script, cwd=here, root=root).stdout.startswith(f"False {root}\n")
    assert python(script, cwd=tmp_path).stdout.startswith("True")
    standin = REPOSITORY / "pointcept_wsegpc/standin"
    assert python(script, cwd=standin).stdout.startswith(f"True {standin}\n")


def test_standin_without_mmengine(tmp_path):
    code = "import sys; sys.modules['mmengine'] = None; " + FIND
    last = python("-c", code).stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: ")
    assert "pip install mmengine-lite" in last and "POINTCEPT_ROOT" in last
    assert python("-c", code, root=make_pointcept(tmp_path)).stdout.startswith("False")


def test_a_folder_of_that_name_is_no_engine(tmp_path):
    (tmp_path / "pointcept").mkdir()
    assert python("-c", FIND, path=[tmp_path]).stdout.startswith("True")


def test_report():
    result = python("-m", "pointcept_wsegpc", "info")
    lines = dict(line.split(None, 1) for line in result.stdout.splitlines())
    assert lines["engine"].startswith("Pointcept stand-in")
    assert {"python", "device", "torch", "timm"} <= lines.keys()
    assert result.returncode == ("missing" in result.stdout)


@pytest.fixture
def report(monkeypatch):
    """report(missing, engine): what `wsegpc info` says where a module is missing."""

    def call(missing, engine):
        find = importlib.util.find_spec
        monkeypatch.setattr(info, "find_spec", lambda name: None if name == missing else find(name))
        monkeypatch.setattr(info, "NEEDED_BY_POINTCEPT", {})
        monkeypatch.setattr(info.host, "ensure_pointcept", lambda quiet: engine)
        return wsegpc("info")

    return call


@pytest.mark.parametrize(
    ("missing", "standin", "said"),
    [
        ("timm", True, "timm               missing: pip install timm"),
        ("mmengine", True, "mmengine           missing: pip install mmengine-lite"),
        ("mmengine", False, None),  # Pointcept itself does not use it
    ],
)
def test_report_says_how_to_install_what_is_missing(report, missing, standin, said):
    result = report(missing, host.EngineInfo("An engine", "1.7", Path(), is_standin=standin))
    assert "An engine 1.7" in result.stdout
    assert result.exit_code == (said is not None) and (said or "") in result.stdout
    assert said or "mmengine" not in result.stdout


def test_report_of_a_wrong_root(tmp_path):
    result = python("-m", "pointcept_wsegpc", "info", root=tmp_path)
    assert result.returncode == 1 and result.stderr == ""
    assert f"missing: POINTCEPT_ROOT={tmp_path} holds no" in result.stdout


SCRIPT = """
import sys, torch
print(sys.argv[1:], sys.path[0], __name__)
print(torch.zeros(2).cuda(non_blocking=True).device, torch.nn.Linear(1, 1).cuda().weight.device)
torch.cuda.set_device(0); torch.cuda.synchronize(); torch.cuda.empty_cache()
print(torch.histc(torch.tensor([0, 1, 1, -1]), bins=3, min=0, max=2).tolist())
torch.save(torch.ones(2), sys.argv[1])
print(torch.load(sys.argv[1], map_location=lambda storage, loc: storage.cuda()).device)
with torch.amp.autocast(device_type="cuda", enabled=True, dtype=torch.float16):
    print(torch.nn.Linear(1, 1)(torch.ones(1)).dtype)
scaler = torch.amp.GradScaler(device="cuda")
print(scaler.scale(torch.ones(1)).item(), scaler.get_scale())
import os; os._exit(0)
"""


def test_cpu_runs_a_script(tmp_path):
    script = tmp_path / "scripts" / "script.py"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    # As "sh scripts/test.sh -p 'python -m pointcept_wsegpc.cpu'" puts it before the script: what is
    # still in a buffer would be lost at the end of this one.
    result = python(
        "-m", "pointcept_wsegpc.cpu", "-u", script, tmp_path / "x.pt", "-u", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        f"['{tmp_path}/x.pt', '-u'] {script.parent} __main__",
        "cpu cpu",
        "[1.0, 2.0, 0.0]",
        "cpu",
        "torch.float32",
        "1.0 1.0",
    ]


@pytest.mark.parametrize(
    ("arguments", "line"), [([], "usage"), (["-u"], "usage"), (["-X", "dev"], "-X comes too late")]
)
def test_cpu_without_a_script(arguments, line):
    with pytest.raises(SystemExit, match=f"^{line}.*$"):
        cpu.main(arguments)


def test_cpu_runs_code_and_stubs_only_what_is_missing(tmp_path):
    (tmp_path / "open3d.py").write_text("here = True")
    code = (
        "import open3d, pointops, pointops.functions.query as q; print(open3d.here)\n"
        "from pointops import knn_query\n"
        "for f in (knn_query, q.ball):\n"
        "    try: f(1)\n"
        "    except ModuleNotFoundError as error: print(error)\n"
        "try: import not_stubbed_at_all\n"
        "except ModuleNotFoundError: print('absent')\n"
        "import sys; print(sys.argv)"
    )
    result = python("-m", "pointcept_wsegpc.cpu", "-c", code, "a", path=[tmp_path])
    assert result.returncode == 0, result.stderr
    here, first, second, absent, argv = result.stdout.splitlines()
    assert (here, absent, argv) == ("True", "absent", "['-c', 'a']")
    assert first.startswith("pointops.knn_query was called, but pointops is not installed")
    assert second.startswith("pointops.functions.query.ball was called")
