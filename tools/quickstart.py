#!/usr/bin/env python3
"""The main job on synthetic scans: raw scans and tags in, pseudo-labels and a trained network out.

    tools/quickstart.sh                          # makes .venv and runs this
    tools/quickstart.sh --with-baseline          # also trains on the tags alone, equally long
    tools/quickstart.sh --seed 1                 # into exp/quickstart-seed1

Run it again to continue where it stopped; what is finished is reused.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import sys
from pathlib import Path

from main_job import report
from main_job.plan import REPOSITORY, Plan
from pointcept_wsegpc import host
from pointcept_wsegpc.jobs.process import StepFailed, interrupt_at_sigterm, num_cores, run
from pointcept_wsegpc.jobs.steps import Steps, continued_seed, exclusive, resume_options

CAM, CMG, RPC, STAGE_TWO = "wsegpc-cam", "wsegpc-cmg", "wsegpc-cmg-rpc", "stage2-minkunet"


def parse_arguments(arguments=None) -> Plan:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="of the trainings (default 0)")
    parser.add_argument("--with-baseline", action="store_true", help="also train on tags alone")
    parser.add_argument("--out", type=Path, help="folder of the results")
    args = parser.parse_args(arguments)
    out = args.out or Plan.out.with_name("quickstart" + (f"-seed{args.seed}" if args.seed else ""))
    return Plan(seed=args.seed, baseline=args.with_baseline, out=out.expanduser().resolve())


def run_plan(plan: Plan, say=print) -> None:
    """Run all steps of the main job, then report."""
    with exclusive(plan.out / ".lock") as lock:
        steps = Steps(plan.out / "steps.json", 8 if plan.baseline else 7, say)
        child = functools.partial(run_child, plan, steps, lock)
        with exclusive(plan.data.with_name(f".{plan.data.name}.lock"), patience=600):  # other seeds
            child("make scans in ScanNet's raw format", plan.make_scans(), plan.raw)
            child("prepare points, views, labels, tags", plan.prepare(), plan.data)
            child("partition into regions", plan.extract_regions(), plan.data)
        train = functools.partial(run_training, plan, steps, lock)
        train("train stage one: CMG", CMG)
        first = {"weight": plan.checkpoint(CMG), "seed": continued_seed(plan.seed)}
        train("train stage one: CMG + RPC, export labels", RPC, **first)
        store = plan.pseudo_labels(RPC)
        train("train stage two on the labels", STAGE_TWO, **{"data.train.store": store})
        draw = functools.partial(label_and_draw, plan, lock)
        steps.run("label all scenes, draw pictures", plan.pictures.name, plan.pictures, draw)
        if plan.baseline:
            train("train the baseline: CAM, export labels", CAM, **plan.baseline_length())
        for line in closing_report(plan, steps):
            say(line)


def run_child(plan, steps, lock, name, command, output) -> None:
    """A step that is one command over all scenes, which goes on by itself if interrupted."""
    log = plan.out / f"{Path(command[1]).stem}.log"
    parallel = [*command, "--workers", str(num_cores())]  # no part of what decides the result
    steps.run(
        name,
        command[1:],
        output,
        lambda _: run(parallel, log, 1, keep_open=(lock,), cwd=REPOSITORY),
    )


def run_training(plan, steps, lock, name, config, **options) -> None:
    """A step that trains; an interrupted training goes on from its last checkpoint."""

    def action(resume):
        more = resume_options(plan.folder(config), resume)
        command = plan.train(config, **{**options, **more})
        run(command, plan.out / f"{config}.log", num_cores(), keep_open=(lock,), cwd=REPOSITORY)

    settings = (plan.config(config).to_dict(), plan.train(config, **options)[1:])
    steps.run(name, settings, plan.checkpoint(config), action)


def label_and_draw(plan, lock, resume) -> None:
    export = plan.export(RPC, "val", plan.out / "stage1-val")
    run(export, plan.out / "export.log", num_cores(), keep_open=(lock,), cwd=REPOSITORY)
    for split in ("train", "val"):
        predict = plan.predict(STAGE_TWO, split, plan.out / f"stage2-{split}")
        run(predict, plan.out / "predict.log", num_cores(), keep_open=(lock,), cwd=REPOSITORY)
    shutil.rmtree(plan.pictures, ignore_errors=True)
    columns = {
        "train": {"pseudo-labels": plan.pseudo_labels(RPC), "stage two": plan.out / "stage2-train"},
        "val": {
            "stage one, no tags": plan.out / "stage1-val",
            "stage two": plan.out / "stage2-val",
        },
    }
    for split, labels in columns.items():
        report.draw_pictures(plan.data, split, labels, plan.pictures, with_tags=split == "train")


def closing_report(plan: Plan, steps: Steps) -> list[str]:
    stores = {"CMG": plan.pseudo_labels(CMG), "CMG + RPC": plan.pseudo_labels(RPC)}
    if plan.baseline:
        stores["CAM, equally long"] = plan.pseudo_labels(CAM)
    stage_one = report.store_miou(plan.out / "stage1-val")
    stage_two = report.stage_two_miou(plan.data, "val", plan.out / "stage2-val")
    places = {
        "raw scans": plan.raw,
        "prepared scenes, regions, tags": plan.data,
        "pseudo-labels": plan.pseudo_labels(RPC),
        "stage-one checkpoint": plan.checkpoint(RPC),
        "stage-two checkpoint": plan.checkpoint(STAGE_TWO),
        "stage-two predictions": plan.out / "stage2-val",
        "logs": plan.out,
        "pictures, one per two scenes": plan.pictures,
    }
    return [
        "",
        "mIoU and coverage in %; the mean is over the classes that occur",
        *report.pseudo_label_table(stores),
        *report.validation_table(plan.val_scenes, {"stage two": stage_two, "stage one": stage_one}),
        *report.time_table(steps.seconds()),
        f"Engine: {host.ensure_pointcept(quiet=True)}; seed {plan.seed}; {num_cores()} cores",
        *report.place_table(places),
    ]


def main() -> None:
    interrupt_at_sigterm()
    try:
        run_plan(parse_arguments(), say=functools.partial(print, flush=True))
    except (StepFailed, OSError, ValueError) as error:
        sys.exit(f"quickstart: {error}")
    except KeyboardInterrupt:
        sys.exit(f"\nquickstart: interrupted; {REPOSITORY}/tools/quickstart.sh goes on")


if __name__ == "__main__":
    main()
