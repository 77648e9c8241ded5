"""The layout that the design fixes, read from the source: who imports whom; what is too long."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "pointcept_wsegpc"
NAME = PACKAGE.name
STANDIN = PACKAGE / "standin"

FILES = sorted(path for path in PACKAGE.rglob("*.py") if STANDIN not in path.parents)
STANDIN_FILES = sorted(STANDIN.rglob("*.py"))
TOOLS = sorted((PACKAGE.parent / "tools").rglob("*.py"))

# Parts of the package, and the parts that each may import. "base" holds the modules on
# disk formats, labels, cameras, metrics, atomic files, jobs and errors.
BASE = {"files", "labels", "camera", "metrics", "schema", "jobs", "errors"}
MAY_IMPORT = {
    "base": {"base"},
    "contracts": {"base"},
    "scans": {"base", "contracts"},
    "regions": {"base"},
    "pictures": {"base"},
    "region_pictures": {"base", "pictures", "regions"},
    "losses": set(),
    "transforms": set(),
    "models": {"losses"},
    "datasets": {"base", "contracts", "transforms"},
    "hooks": {"base", "contracts", "losses", "models.teacher"},
    "register": {"datasets", "transforms", "models", "hooks", "host"},
    "host": {"version"},
    "cpu": {"models.sparse_conv"},  # to tell spconv that there is no GPU
    "__main__": {"host", "cpu", "version"},
}
PURE = ("base", "contracts", "scans", "regions", "losses", "pictures", "region_pictures")
PURE_IMPORTS = {"numpy", "torch", "scipy", "numba", "PIL"}  # at the top of a pure module
LONGEST_MODULE, LONGEST_FUNCTION = 250, 58


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
    return "base" if name in BASE else name.split(".")[0]


def offences(path):
    name = module_name(path)
    for target in own_imports(path):
        own = part(target) == part(name)
        if not own and not {part(target), target} & MAY_IMPORT.get(part(name), set()):
            yield f"{name} imports {target}"


def test_every_module_belongs_to_a_part():
    assert len(FILES) > 40
    assert {part(module_name(path)) for path in FILES} - {"version"} == set(MAY_IMPORT)


def test_import_directions():
    assert [line for path in FILES for line in offences(path)] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("losses/new.py", "from ..labels import IGNORE"),
        ("regions/new.py", "import pointcept_wsegpc.captures.scannet.sens"),
        ("datasets/new.py", "def f():\n    from ..models.wsegpc import WSegPC"),
        ("hooks/new.py", "from ..models import mink_unet"),
        ("schema.py", "from . import regions"),
    ],
)
def test_a_wrong_direction_is_seen(module, source, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: source)
    assert len(list(offences(PACKAGE / module))) == 1


def pure_files():
    return [path for path in FILES if part(module_name(path)) in PURE]


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


def test_a_part_does_not_reexport():
    for path in PACKAGE.rglob("__init__.py"):
        # regions/__init__.py is itself the interface of its part.
        if STANDIN not in path.parents and module_name(path) != "regions":
            assert list(imports(path)) == [], path


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


@pytest.mark.parametrize(
    "path", [*FILES, *STANDIN_FILES, *TOOLS], ids=lambda p: str(p.relative_to(PACKAGE.parent))
)
def test_lengths(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGEST_MODULE
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name}: {length} lines"
