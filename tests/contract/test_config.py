"""Configuration files and registries."""

import pickle

import pytest
from pointcept.models.builder import MODELS, build_model
from pointcept.utils.config import Config
from pointcept.utils.registry import Registry

from pointcept_wsegpc.commands.configs import read_options


def test_child_overrides_base_and_keeps_the_rest(load):
    cfg = load()
    assert cfg.optimizer == {"type": "SGD", "lr": 0.05, "momentum": 0.9}
    assert cfg.scheduler.power == 0.9


def test_custom_imports_register(load):
    load()
    assert MODELS.get("Toy-Linear").__name__ == "ToyLinear"


def test_parser_sets_loop_and_dumps_what_it_read(load, tmp_path):
    cfg = load(epoch=6, eval_epoch=2)
    assert cfg.data.train.loop == 3
    dumped = Config.fromfile(str(tmp_path / "exp" / "config.py"))
    assert dumped.model == cfg.model
    assert dumped.data == cfg.data
    assert dumped.custom_imports == cfg.custom_imports
    assert (tmp_path / "exp" / "model").is_dir()


def test_a_missing_seed_is_drawn_and_kept(load, tmp_path):
    cfg = load(seed=None)
    assert Config.fromfile(str(tmp_path / "exp" / "config.py")).seed == cfg.seed >= 0


def test_command_line_options_become_values():
    options = read_options(["a.b=3", "resume=True", "w=x.pth"])
    assert options == {"a.b": 3, "resume": True, "w": "x.pth"}


def test_registry_round_trip():
    things = Registry("things")

    @things.register_module()
    class Plain:
        pass

    @things.register_module("Named-v1")
    class Named:
        def __init__(self, size):
            self.size = size

    things.register_module(module=dict, name="Mapping")
    assert isinstance(things.build({"type": "Plain"}), Plain)
    cfg = {"type": "Named-v1", "size": 4}
    assert things.build(cfg).size == 4
    assert cfg == {"type": "Named-v1", "size": 4}
    assert things.get("Named-v1") is Named
    assert things.get("Mapping") is dict
    with pytest.raises(KeyError):
        things.register_module("Named-v1")(Plain)
    assert things.get("Nothing") is None
    with pytest.raises(KeyError, match="Nothing"):
        things.build({"type": "Nothing"})


def test_build_model_leaves_the_configuration_alone(load):
    cfg = load()
    before = pickle.dumps(cfg.model.to_dict())
    build_model(cfg.model)
    assert pickle.dumps(cfg.model.to_dict()) == before
