"""The layout that the design fixes, read from the source: who imports whom."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "pointcept_wsegpc"
NAME = PACKAGE.name
STANDIN = PACKAGE / "standin"

FILES = sorted(path for path in PACKAGE.rglob("*.py") if STANDIN not in path.parents)
STANDIN_FILES = sorted(STANDIN.rglob("*.py"))

# The rooms of the package, and the rooms or modules that each may import besides itself.
PURE_ROOMS = {
    "files": set(),
    "contracts": {"files"},
    "clouds": {"files"},
    "jobs": {"files"},
    "camera": set(),
    "losses": set(),
    "metrics": {"contracts"},
    "captures": {"contracts", "clouds", "camera", "files", "checks"},
    "priors": {"contracts", "clouds", "camera", "files"},
    "regions": {"contracts", "clouds", "camera", "files", "metrics"},
    "checks": {"contracts", "clouds", "camera", "files", "metrics"},
    "synthetic": {"captures", "contracts", "clouds", "camera", "files", "jobs"},
    "labels": {"contracts", "clouds", "metrics", "losses", "files"},
    "visualize": {"contracts", "clouds", "camera", "regions", "metrics", "files"},
}
REGISTERED_ROOMS = {
    "transforms": set(),
    "models": {"losses", "files"},
    "datasets": {"contracts", "clouds", "camera", "transforms"},
    "hooks": {
        *("contracts", "jobs", "labels", "metrics", "losses", "files"),
        *("models.teacher", "models.checkpoint"),
    },
    "register": {"datasets", "transforms", "models", "hooks", "host"},
    "host": {"version"},
    "cpu": {"models.sparse_conv"},  # to tell spconv that there is no GPU
}
EVERYBODY = {"registry", "renames", "version"}  # every room may import these
MAY_IMPORT = {name: set() for name in EVERYBODY} | PURE_ROOMS | REGISTERED_ROOMS
FREE = ("commands", "viewer", "__main__")  # these may import anything
PURE_IMPORTS = {"numpy", "torch", "scipy", "numba", "PIL"}  # at the top of a pure module


def module_name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "version"


def is_package(name):
    return (PACKAGE / name.replace(".", "/")).is_dir()


def exists(name):
    return is_package(name) or (PACKAGE / f"{name.replace('.', '/')}.py").is_file()


def imports(path, top_only=False):
    """Absolute dotted names that a file imports; `from a import b` gives a.b."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = top_level(tree) if top_only else ast.walk(tree)
    package = [NAME, *path.relative_to(PACKAGE).parent.parts]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            stem = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*stem, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def top_level(tree):
    """Statements that run when the module is imported: all but the bodies of functions."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
            yield from top_level(node)


def own_imports(path, top_only=False):
    """Modules of this package that a file imports, by their names inside it."""
    for name in imports(path, top_only):
        first, _, inner = name.partition(".")
        if first != NAME:
            continue
        while inner and not exists(inner):  # an object of a module
            inner = inner.rpartition(".")[0]
        yield inner or "version"


def part(name):
    return name.split(".")[0]


def offences(path):
    name = module_name(path)
    if part(name) in FREE:
        return
    for target in own_imports(path):
        own = part(target) == part(name)
        allowed = MAY_IMPORT.get(part(name), set()) | EVERYBODY
        if not own and not {part(target), target} & allowed:
            yield f"{name} imports {target}"


def test_every_module_belongs_to_a_part():
    assert len(FILES) > 40
    found = {part(module_name(path)) for path in FILES} - {"version", *FREE}
    assert found <= set(MAY_IMPORT)


def test_import_directions():
    assert [line for path in FILES for line in offences(path)] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("regions/new.py", "import pointcept_wsegpc.captures.scannet.sens"),
        ("datasets/new.py", "def f():\n    from ..models.wsegpc import WSegPC"),
    ],
)
def test_a_wrong_direction_is_seen(module, source, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: source)
    assert len(list(offences(PACKAGE / module))) == 1


def pure_files():
    return [path for path in FILES if part(module_name(path)) in {*EVERYBODY, *PURE_ROOMS}]


def test_pure_modules_do_not_know_pointcept():
    for path in pure_files():
        names = set(imports(path))
        assert not [n for n in names if n.split(".")[0] in ("pointcept", "mmengine")], path
        assert not {f"{NAME}.register", f"{NAME}.host"} & names, path


def test_pure_modules_import_little_at_the_top():
    allowed = PURE_IMPORTS | set(sys.stdlib_module_names) | {NAME}
    for path in pure_files():
        found = {name.split(".")[0] for name in imports(path, top_only=True)}
        assert found <= allowed, path


def test_no_cycles():
    graph = {module_name(path): set(own_imports(path, top_only=True)) for path in FILES}
    graph = {name: targets - {name} for name, targets in graph.items()}
    # Importing a.b runs a/__init__.py; only one that imports something can close a cycle.
    while leaves := {name for name, targets in graph.items() if not targets & graph.keys()}:
        graph = {name: targets for name, targets in graph.items() if name not in leaves}
    assert graph == {}


def test_stand_in_needs_little():
    # addict comes with mmengine: its dictionaries are what the configurations are made of.
    allowed = {"pointcept", "torch", "numpy", "mmengine", "addict", "tensorboardX"}
    allowed |= set(sys.stdlib_module_names)
    for path in STANDIN_FILES:
        names = [name for name in imports(path) if not name.startswith(NAME)]
        assert {name.split(".")[0] for name in names} <= allowed, path
        from_mmengine = {".".join(n.split(".")[:2]) for n in names if n.startswith("mmengine")}
        assert from_mmengine <= {"mmengine.config", "mmengine.registry"}, path


def test_nothing_prints():
    for path in [*FILES, *STANDIN_FILES]:
        if module_name(path) in ("__main__", "cpu"):  # these are commands
            continue
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        assert not [c for c in calls if getattr(c.func, "id", "") == "print"], path
