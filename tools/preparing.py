"""What the tools that prepare captures share: disk space, jobs, tags."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

from pointcept_wsegpc.contracts.scene import is_prepared
from pointcept_wsegpc.contracts.tags import assemble_tags
from pointcept_wsegpc.jobs.scenes import run_jobs, take_shard

GIB = 2**30


def check_space(needed: int, root: Path, what: str, remedy: str) -> None:
    """Print the bytes that `what` will take; OSError, with a remedy, where the disk has less."""
    existing = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    print(f"{what} to prepare, about {needed / GIB:.2f} GiB; {free / GIB:.1f} free")
    if needed > free:
        raise OSError(
            f"{root} needs about {needed / GIB:.1f} GiB, the disk has {free / GIB:.1f}; "
            f"free some, or prepare less with {remedy}"
        )


def check_space_for(jobs: dict, settings, args, root: Path, estimate, what: str, remedy: str):
    """`check_space` of those of {name: capture} that are this shard's and not prepared yet.

    estimate(captures) -> bytes; what: the captures' name.
    """
    mine = [jobs[name] for name in take_shard(sorted(jobs), args.shard)]
    todo = [capture for capture in mine if not is_prepared(capture, settings)]
    check_space(estimate(todo), root, f"{len(todo)} {what}", remedy)


def prepare_all(function, jobs: dict, settings, args):
    """Run function(capture, settings=settings) on {name: capture}; returns the Outcome.

    args: those of `add_job_arguments`. Scenes that are there with these settings are skipped.
    """
    return run_jobs(
        functools.partial(function, settings=settings),
        jobs,
        workers=args.workers,
        shard=args.shard,
        scheduler=args.scheduler,
        is_done=functools.partial(is_prepared, settings=settings),
        title="prepare",
    )


def derive_scene_tags(root: Path, scenes: str) -> None:
    """Complete the tags file from the scenes' point labels, and say so."""
    path, added, differing = assemble_tags(root)
    print(f"tags of {added} {scenes} added to {path}")
    if differing:
        print(
            f"  {len(differing)} {scenes} keep tags that differ from their point labels "
            f"({', '.join(differing[:5])}); delete the file to derive all again"
        )
