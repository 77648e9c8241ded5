"""Registration: by config, in spawned processes, and from the config that a training dumped."""

import ast
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from pointcept.datasets.builder import DATASETS
from pointcept.datasets.transform import TRANSFORMS
from pointcept.engines.hooks.builder import HOOKS
from pointcept.models.builder import MODELS
from pointcept.utils.config import Config

from pointcept_wsegpc import register

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIG = REPOSITORY / "configs/quickstart/wsegpc-cmg-rpc.py"

REGISTRIES = {"models": MODELS, "datasets": DATASETS, "transforms": TRANSFORMS, "hooks": HOOKS}


def ours(registry):
    return [
        name
        for name, cls in registry.module_dict.items()
        if cls.__module__.startswith("pointcept_wsegpc.")
        and cls.__module__ != "pointcept_wsegpc.renames"  # old names, which are refused
    ]


ALL = [(kind, name) for kind, registry in REGISTRIES.items() for name in ours(registry)]


def test_every_name_has_the_prefix():
    assert len(ALL) >= 14 and all(name.startswith("WSegPC") for _, name in ALL)


def test_register_lists_every_module_that_registers():
    package = REPOSITORY / "pointcept_wsegpc"
    found = {
        path.relative_to(package).with_suffix("").as_posix().replace("/", ".")
        for path in package.rglob("*.py")
        if not {"standin", "renames.py"} & set(path.parts)
        and ".register_module(" in path.read_text(encoding="utf-8")
    }
    listed = {module.__name__.removeprefix("pointcept_wsegpc.") for module in register.REGISTERED}
    assert listed == found


def test_unpickling_a_config_imports_what_it_names(tmp_path, monkeypatch):
    (tmp_path / "model_of_a_user.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    config = Config({"custom_imports": {"imports": ["model_of_a_user"]}})
    pickle.loads(pickle.dumps(config))
    assert sys.modules.pop("model_of_a_user")


def test_a_pickled_config_is_the_config():
    config = Config.fromfile(str(CONFIG))
    again = pickle.loads(pickle.dumps(config))
    assert type(again) is Config
    assert again.to_dict() == config.to_dict()
    assert again.filename == config.filename
    again.model.num_classes = 3
    assert config.model.num_classes == 20
    assert again.model.backbone.type == config.model.backbone.type  # by attribute, as before


SPAWN = """
import sys
import torch.multiprocessing

def child(rank, config, queue):
    # As Pointcept's launcher: only the arguments' unpickling could have imported the plugin.
    assert "pointcept_wsegpc.register" in sys.modules
    from pointcept.datasets.builder import DATASETS
    from pointcept.datasets.transform import TRANSFORMS
    from pointcept.engines.hooks.builder import HOOKS, build_hooks
    from pointcept.models.builder import MODELS, build_model

    registries = dict(models=MODELS, datasets=DATASETS, transforms=TRANSFORMS, hooks=HOOKS)
    missing = [name for kind, name in {names} if registries[kind].get(name) is None]
    config.model.image_encoder.weights = "none"
    model = build_model(config.model)
    hooks = [type(hook).__name__ for hook in build_hooks(config.hooks)]
    queue.put((missing, type(model).__name__, hooks))

if __name__ == "__main__":
    from pointcept_wsegpc.host import ensure_pointcept
    ensure_pointcept(quiet=True)
    from pointcept.utils.config import Config

    config = Config.fromfile({path!r})
    if {dumped}:
        config.dump("dumped.py")
        config = Config.fromfile("dumped.py")
    context = torch.multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    torch.multiprocessing.spawn(child, args=(config, queue), nprocs=1)
    print(queue.get())
"""


@pytest.mark.slow
@pytest.mark.parametrize("dumped", [False, True], ids=["config file", "dumped config"])
def test_a_spawned_process_builds_every_name(tmp_path, dumped):
    script = tmp_path / "launch.py"
    script.write_text(
        SPAWN.replace("{names}", repr(ALL))
        .replace("{path!r}", repr(str(CONFIG)))
        .replace("{dumped}", repr(dumped))
    )
    result = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr
    hooks = [hook["type"] for hook in Config.fromfile(str(CONFIG)).hooks]
    assert ast.literal_eval(result.stdout) == ([], "WSegPC", hooks)
