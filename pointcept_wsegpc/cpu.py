"""Run a Pointcept script on a machine without CUDA: ``python -m pointcept_wsegpc.cpu SCRIPT ...``

For trying a configuration before it goes to a cluster. With Pointcept's own launcher:

    sh scripts/train.sh -p "python -m pointcept_wsegpc.cpu" -g 1 -d wsegpc/scannet -c wsegpc-cmg

Pointcept calls ``.cuda()`` everywhere; here it stays where it is. Packages that only a CUDA
compiler can build (pointops, ...) are stubbed when they are not installed: importing them works,
and calling anything of them says what is missing.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import runpy
import sys
import types
import warnings

STUBBED = ("pointops", "open3d", "torch_cluster")


def patch() -> bool:
    """Make this process (and the workers that it forks) train on the CPU; was there a GPU?"""
    # Threads that spin while they wait take the time of whatever else runs on this machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported
    import torch

    had_cuda = torch.cuda.is_available()
    _keep_on_cpu(torch)
    _count_integers(torch)
    _tame_spconv(torch)
    missing = [name for name in STUBBED if importlib.util.find_spec(name) is None]
    sys.meta_path.append(StubFinder(missing))
    # True without CUDA, but Pointcept's trainer uses these anyway.
    for message in (".*pin_memory.*", ".*CUDA is not available.*"):
        warnings.filterwarnings("ignore", message=message)
    return had_cuda


def _keep_on_cpu(torch) -> None:
    def stay(self, *args, **kwargs):
        return self

    for holder in (torch.Tensor, torch.nn.Module, torch.UntypedStorage, torch.TypedStorage):
        holder.cuda = stay
    for name in ("set_device", "synchronize", "empty_cache", "reset_peak_memory_stats"):
        setattr(torch.cuda, name, lambda *args, **kwargs: None)
    # Autocast and GradScaler switch themselves off where there is no CUDA.
    torch.cuda.is_available = lambda: False
    torch.cuda.device_count = lambda: 0


def _count_integers(torch) -> None:
    """torch.histc takes integers on CUDA only; Pointcept's evaluator counts labels with it."""
    histc = torch.histc

    def histc_of_any_type(input, *args, **kwargs):
        return histc(input if input.is_floating_point() else input.float(), *args, **kwargs)

    torch.histc = histc_of_any_type


def _tame_spconv(torch) -> None:
    """spconv's CPU code sums wrongly with more than one thread, and asks for a CUDA stream."""
    if importlib.util.find_spec("spconv") is not None:
        from .models.sparse_conv import let_spconv_run_without_cuda

        torch.set_num_threads(1)
        let_spconv_run_without_cuda()


class _Stub:
    """Anything of a package that is not installed; it can be named, not used."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, attribute: str):
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return _Stub(f"{self._name}.{attribute}")

    def __call__(self, *args, **kwargs):
        package = self._name.split(".")[0]
        raise ModuleNotFoundError(
            f"{self._name} was called, but {package} is not installed: "
            f"choose a configuration that does not need it, or install {package}"
        )


class _StubModule(types.ModuleType):
    def __getattr__(self, attribute: str):
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return _Stub(f"{self.__name__}.{attribute}")


class StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports ``packages``, and anything below them, as stubs."""

    def __init__(self, packages):
        self.packages = frozenset(packages)

    def find_spec(self, fullname, path=None, target=None):
        if fullname.split(".")[0] not in self.packages:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec):
        return _StubModule(spec.name)

    def exec_module(self, module):
        pass


def main(argv: list[str]) -> None:
    """Run ``[-u] SCRIPT arguments...`` or ``-c CODE arguments...`` as Python itself would."""
    while argv and argv[0] == "-u":  # Pointcept's scripts/test.sh puts it before the script
        argv = argv[1:]
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=True)
    if not argv or argv == ["-c"]:
        sys.exit("usage: python -m pointcept_wsegpc.cpu [-u] SCRIPT [arguments...] | -c CODE")
    if argv[0].startswith("-") and argv[0] != "-c":
        sys.exit(f"{argv[0]} comes too late for this Python: put it before -m pointcept_wsegpc.cpu")
    if patch():
        print("pointcept_wsegpc.cpu is not needed here: CUDA is available", file=sys.stderr)
    if argv[0] == "-c":
        sys.argv = ["-c", *argv[2:]]
        exec(compile(argv[1], "<string>", "exec"), {"__name__": "__main__"})
        return
    sys.argv = argv
    # Python puts the script's folder first; "-m" had put the current one there.
    sys.path[0] = os.path.dirname(os.path.abspath(argv[0]))
    runpy.run_path(argv[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
