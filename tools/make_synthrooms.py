#!/usr/bin/env python3
"""Make SynthRooms, the open benchmark: scan its rooms, prepare, partition, and check them.

    tools/make_synthrooms.py data/synthrooms_small --workers 2
    tools/make_synthrooms.py data/synthrooms_large --size large --workers 16

Finished scenes are skipped, so an interrupted run is continued by the same command. The last line
says whether the data are those that published results are of.
"""

import argparse
import sys
from pathlib import Path

from argument_types import positive
from pointcept_wsegpc.contracts.tags import assemble_tags
from pointcept_wsegpc.jobs.process import StepFailed
from pointcept_wsegpc.jobs.scenes import run_jobs
from pointcept_wsegpc.jobs.steps import exclusive
from pointcept_wsegpc.regions.scenes.extract import extract_regions
from pointcept_wsegpc.regions.scenes.records import finished_record
from pointcept_wsegpc.regions.scenes.settings import Settings
from pointcept_wsegpc.synthetic import benchmark as synthrooms
from pointcept_wsegpc.synthetic import benchmark_check as synthrooms_check


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", help="data root to write")
    parser.add_argument("--size", choices=sorted(synthrooms.SIZES), default="small")
    parser.add_argument("--workers", type=positive, default=2, help="processes (default 2)")
    parser.add_argument("--check-only", action="store_true", help="make nothing, only check")
    return parser.parse_args()


def make_scenes(root, size, workers):
    """Make what is missing; returns the Outcome."""
    synthrooms.claim(root, size)
    scenes = synthrooms.scenes(root, size)
    outcome = run_jobs(
        synthrooms.make, scenes, workers=workers, is_done=synthrooms.is_made, title="scenes"
    )
    print(outcome.summary())
    assemble_tags(root)
    return outcome


def partition(root, size, workers):
    """Regions of the points and views, with the default method; returns the Outcome.

    Where regions were made already with other settings they stay: they are somebody's choice.
    """
    scenes = {name: scene.folder for name, scene in synthrooms.scenes(root, size).items()}
    outcome = run_jobs(
        partition_scene, scenes, workers=workers, is_done=has_regions, title="regions"
    )
    print(outcome.summary())
    return outcome


def has_regions(scene):
    return finished_record(scene) is not None


def partition_scene(scene):
    extract_regions(scene, Settings())


def main():
    args = parse_arguments()
    root = Path(args.root).expanduser().resolve()
    size = synthrooms.SIZES[args.size]
    if not args.check_only:
        with exclusive(root / ".lock"):  # another run would delete the scans that this one makes
            for step in (make_scenes, partition):
                status = step(root, size, args.workers).exit_status
                if status:
                    return status
    print(synthrooms_check.verify(root, size))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, StepFailed) as error:
        sys.exit(f"make_synthrooms: {error}")
    except KeyboardInterrupt:
        sys.exit("make_synthrooms: interrupted; the same command goes on")
