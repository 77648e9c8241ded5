import sys
from types import SimpleNamespace

import pytest

from pointcept_wsegpc import registry
from pointcept_wsegpc.registry import Registry


@pytest.fixture
def fresh_plugins():
    registry.load_plugins.cache_clear()
    yield
    registry.load_plugins.cache_clear()


def test_what_is_registered_is_found_with_its_facts():
    animals = Registry("animal")

    @animals.register("cat", legs=4)
    def cat():
        return "meow"

    assert animals.get("cat") is cat
    assert animals.facts("cat") == {"legs": 4}
    assert animals.names() == ["cat"]


def test_an_unknown_name_is_answered_with_the_nearest():
    animals = Registry("animal")
    for name in ("horse", "cat"):
        animals.register(name)(object())
    with pytest.raises(ValueError, match=r"animal 'hors'.*horse, cat.*'horse'"):
        animals.get("hors")


def test_a_name_is_given_once():
    animals = Registry("animal")
    one = animals.register("cat")(object())
    animals.register("cat")(one)  # the same again changes nothing
    with pytest.raises(ValueError, match="'cat'"):
        animals.register("cat")(object())
    assert animals.get("cat") is one


@pytest.fixture
def zoo(fresh_plugins, tmp_path, monkeypatch):
    """A registry, and a module on the path that fills it."""
    animals = Registry("animal")
    monkeypatch.setattr(registry, "animals", animals, raising=False)
    (tmp_path / "zoo_of_others.py").write_text(
        "from pointcept_wsegpc.registry import animals\nanimals.register('emu')('an emu')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield animals
    sys.modules.pop("zoo_of_others")


def test_an_installed_plugin_fills_a_registry(zoo, tmp_path):
    package = tmp_path / "zoo-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[{registry.PLUGINS}]\nzoo = zoo_of_others\n")
    assert zoo.get("emu") == "an emu"


def test_a_module_that_the_environment_names_fills_a_registry(zoo, monkeypatch):
    monkeypatch.setenv("WSEGPC_PLUGINS", "zoo_of_others, json")
    assert zoo.names() == ["emu"]
    registry.load_plugins.cache_clear()
    monkeypatch.setenv("WSEGPC_PLUGINS", "no_such_zoo")
    with pytest.raises(ImportError, match="no_such_zoo"):
        zoo.names()


def test_a_broken_plugin_is_named(fresh_plugins, monkeypatch):
    def load():
        raise RuntimeError("no such device")

    broken = SimpleNamespace(name="zoo", value="zoo_of_others", load=load)
    monkeypatch.setattr(registry, "entry_points", lambda group: [broken])
    with pytest.raises(ImportError, match=r"zoo_of_others.*no such device"):
        Registry("animal").get("emu")
