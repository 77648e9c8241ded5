"""Where configs are found: in a checkout, in a wheel, in Pointcept's folder; and the link there."""

import subprocess
import sys
from pathlib import Path

import pytest
from cli import refused, wsegpc

from pointcept_wsegpc import host
from pointcept_wsegpc.commands.configs import configs_folder, find_config
from pointcept_wsegpc.commands.link import link

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def pointcept(tmp_path):
    """What `wsegpc link` takes for a Pointcept checkout."""
    folder = tmp_path / "Pointcept"
    (folder / "pointcept").mkdir(parents=True)
    (folder / "pointcept/__init__.py").touch()
    (folder / "configs/scannet").mkdir(parents=True)
    return folder


def test_in_a_checkout_it_is_the_folder_beside_the_package():
    assert configs_folder() == REPOSITORY / "configs"
    assert find_config("scannet/wsegpc-cmg") == REPOSITORY / "configs/scannet/wsegpc-cmg.py"


def test_a_config_by_path_or_name(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(f"_base_ = ['{configs_folder()}/scannet/wsegpc-cmg.py']\n")
    assert find_config(str(own)) == own
    with pytest.raises(FileNotFoundError, match="scannet/nothing"):
        find_config("scannet/nothing")


def test_a_missing_base_is_one_line():
    with pytest.raises(FileNotFoundError, match="wsegpc link POINTCEPT") as error:
        find_config("scannet/stage2-ptv3")
    assert "\n" not in str(error.value)


def test_link_is_made_once_and_leads_to_pointcepts_own_configs(pointcept):
    assert wsegpc("link", pointcept).exit_code == 0
    assert not link(pointcept)
    assert (pointcept / "configs/wsegpc").resolve() == configs_folder()
    base = pointcept / "configs/scannet/semseg-pt-v3m1-0-base.py"
    base.touch()
    (pointcept / "configs/_base_").mkdir()
    engine = host.EngineInfo("Pointcept", "1.7", pointcept, is_standin=False)
    found = find_config("scannet/stage2-ptv3", engine)
    assert found == pointcept / "configs/wsegpc/scannet/stage2-ptv3.py"


def test_link_leaves_anything_else_alone(pointcept, tmp_path):
    path = pointcept / "configs/wsegpc"
    path.mkdir()
    (path / "mine.py").write_text("mine")
    assert "configs/wsegpc" in refused("link", pointcept)
    assert (path / "mine.py").read_text() == "mine"
    (path / "mine.py").unlink()
    path.rmdir()
    path.symlink_to(tmp_path)
    assert str(tmp_path) in refused("link", pointcept) and path.readlink() == tmp_path
    assert "Pointcept checkout" in refused("link", tmp_path)


WITHOUT_A_CHECKOUT = """
import sys
from pointcept_wsegpc.commands import configs
assert configs.__file__.startswith(sys.argv[1]), configs.__file__
configs.start_engine()
cfg = configs.read_config(configs.find_config("quickstart/wsegpc-cmg"))
print(configs.configs_folder(), cfg.model.type)
"""


@pytest.mark.slow
def test_a_wheel_that_is_installed_read_only_has_the_configs(
    tmp_path, wheel_site, wheel_environment
):
    code = [sys.executable, "-c", WITHOUT_A_CHECKOUT, wheel_site]
    said = subprocess.check_output(code, cwd=tmp_path, env=wheel_environment(), text=True)
    assert said.splitlines()[-1] == f"{wheel_site}/pointcept_wsegpc/configs WSegPC"
    configs = wheel_site / "pointcept_wsegpc/configs"
    packed = {path.relative_to(configs).as_posix() for path in configs.rglob("*.py")}
    assert packed == {
        path.relative_to(configs_folder()).as_posix() for path in configs_folder().rglob("*.py")
    }
