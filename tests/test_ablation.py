"""The tables of tools/ablation.py: rows, jobs, runner, results; and, slow, trainings of them."""

import copy
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from pointcept.engines.defaults import default_setup
from pointcept.engines.train import Trainer
from pointcept.utils.config import Config

import ablation
import pointcept_wsegpc.register  # noqa: F401  fills the registries
from ablations import figure, jobs, measured, partitions, results, writers
from ablations.benchmarks import BENCHMARKS, SYNTHETIC, encoder
from ablations.jobs import Job
from ablations.runner import Board, Runner
from ablations.study import Study, check_data, partition_root
from ablations.tables import PARTITIONS, TABLES, Row, Table
from main_job.plan import REPOSITORY
from pointcept_wsegpc import schema
from pointcept_wsegpc.files import read_json, write_json
from pointcept_wsegpc.regions.methods import resolve

TABLE_NAMES = list(TABLES)


def tiny(root, **changes):
    """The synthetic benchmark with the smallest networks, on the data set of the tests."""
    networks = {
        "model.backbone.planes": (8,) * 8,
        "model.image_encoder.name": "resnet10t",
        "model.image_encoder.stages": 1,
        "model.min_visible": 4,
    }
    settings = {
        "name": "tiny",
        "title": "tiny rooms",
        "first": "synthetic/wsegpc-cmg",
        "second": "synthetic/wsegpc-cmg-rpc",
        "stage_two": "synthetic/stage2-minkunet",
        "data_root": str(root),
        "make": "tests/conftest.py",
        "stage_one": networks,
        "more": {"batch_size": 2, "epoch": 6, "eval_epoch": 3, "num_worker": 1},
        **changes,
    }
    return dataclasses.replace(SYNTHETIC, **settings)


def table(name, benchmark=None):
    return TABLES[name](benchmark or tiny("nowhere"))


def rows_of(name, benchmark=None):
    return {row.label: row for row in table(name, benchmark).rows}


# -------------------------------------------------------------------------------------- tables


@pytest.mark.parametrize("name", TABLE_NAMES)
@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS)
def test_rows_of_a_table_have_names_and_differ(name, benchmark):
    rows = table(name, benchmark).rows
    assert len({row.label for row in rows}) == len(rows) >= 3
    own = [repr((row.both, row.second, row.partition)) for row in rows]
    assert len(set(own)) == len(rows)
    for row in rows:
        assert set(row.paper) <= {"3D", "2D", "stage two"}


@pytest.mark.parametrize(
    ("name", "label", "figures"),
    [
        ("components", "CAM", {"3D": 25.1, "2D": 15.2}),
        ("components", "CAM + 2D→3D", {"3D": 36.8, "2D": 16.3}),
        ("components", "CMG + RPC + Mix3D", {"3D": 50.1, "2D": 35.4, "stage two": 46.9}),
        ("components", "full supervision", {}),
        ("guidance", "contrastive / affinity", {"3D": 35.1}),
        ("guidance", "affinity / contrastive", {"3D": 35.5}),
        ("partitions", "growing", {}),
        ("partitions", "oracle", {}),
        ("backbones", "3D MinkUNet 34C", {"3D": 49.5}),
        ("backbones", "2D ResNet-18", {}),
        ("views", "9", {"3D": 35.9}),
        ("weights", "none", {"3D": 40.0}),
        ("thresholds", "region-point, adaptive, 0.8", {"3D": 48.2}),
        ("thresholds", "region-point, adaptive, 0.7", {}),
    ],
)
def test_figures_of_the_paper(name, label, figures):
    assert rows_of(name)[label].paper == figures


def test_direction_of_guidance():
    # "affinity / contrastive" is 3D→2D / 2D→3D; 2D→3D is what the 3D branch learns from.
    row = rows_of("guidance")["affinity / contrastive"]
    assert row.both == {"model.guidance_3d": "contrastive", "model.guidance_2d": "affinity"}
    row = rows_of("components")["CAM + 2D→3D"]
    assert row.both == {"model.guidance_3d": "contrastive", "model.guidance_2d": "none"}


def test_partitions_are_those_of_the_tool():
    for choice in PARTITIONS.values():
        if choice is not None:
            resolve(*choice, {})  # refuses what it does not know


def test_select():
    chosen = table("thresholds").select(["region-point, *, 0.8", "point-point, fixed, 0.0"])
    assert [row.label for row in chosen.rows] == [
        "point-point, fixed, 0.0",
        "region-point, fixed, 0.8",
        "region-point, adaptive, 0.8",
    ]
    with pytest.raises(ValueError, match="'CMX' matches no row; rows: CAM, "):
        table("components").select(["CAM", "CMX"])


# ---------------------------------------------------------------------------------------- jobs


@pytest.fixture(scope="module")
def study(prepared_root):
    return Study(tiny(prepared_root))


def test_rows_share_first_parts(study):
    rows = rows_of("components")
    first = {label: study.jobs(row, 0)["first"].name for label, row in rows.items()}
    assert first["CAM"] == first["CAM + RPC"]
    cmg = {first[label] for label in rows if "CMG" in label}
    assert len(cmg) == 1 and len(set(first.values())) == 4
    assert study.jobs(rows["CAM + CMG"], 1)["first"].name not in first.values()


def test_second_part_starts_from_the_weights_of_the_first(study, tmp_path, monkeypatch):
    roles = study.jobs(rows_of("components")["CMG + RPC 3D"], 0)
    assert roles["second"].needs == {"weight": roles["first"]}
    commands = []
    (tmp_path / roles["second"].name).mkdir()
    roles["second"].run(tmp_path, commands.append, resume=False)
    text = (tmp_path / roles["second"].name / "job.py").read_text()
    weight = re.search(r"^weight = '(.*)'", text, re.M)[1]
    assert (REPOSITORY / weight).resolve() == roles["first"].output(tmp_path).resolve()
    assert "resume = False" in text and commands[0][1:3][0] == jobs.MEASURED


def test_rows_of_components_train_equally_long(study):
    lengths = set()
    for row in rows_of("components").values():
        roles = study.jobs(row, 0)
        parts = [roles[part].settings["config"] for part in ("first", "second")]
        lengths.add(tuple((c["epoch"], c["batch_size"], c["optimizer"]["lr"]) for c in parts))
    assert len(lengths) == 1


def test_tables_share_rows(study):
    components, guidance = rows_of("components"), rows_of("guidance")
    pairs = [
        (components["CAM"], guidance["none / none"]),
        (components["CAM + CMG"], guidance["contrastive / contrastive"]),
        (components["CAM + CMG"], rows_of("views")["3"]),
        (components["CMG + RPC 3D + RPC 2D"], rows_of("partitions")["growing"]),
        (components["CAM"], rows_of("views")["0"]),
    ]
    for one, other in pairs:
        names = [study.jobs(row, 2)["second"].name for row in (one, other)]
        assert names[0] == names[1], one.label


def test_config_hash_is_of_the_row_not_of_the_seed(study):
    rows = rows_of("components")
    hashes = {label: study.config_hash(row) for label, row in rows.items()}
    assert len(set(hashes.values())) == len(rows)
    assert all(re.fullmatch("[0-9a-f]{12}", value) for value in hashes.values())
    longer = tiny(study.benchmark.data_root, more={**study.benchmark.more, "epoch": 9})
    assert Study(longer).config_hash(rows["CAM"]) != hashes["CAM"]
    assert Study(study.benchmark).config_hash(rows["CAM"]) == hashes["CAM"]


def test_other_data_make_other_jobs(study, root_copy):
    row = rows_of("components")["CAM"]
    same = Study(tiny(root_copy))
    assert same.fingerprint == study.fingerprint != ""
    region = next((root_copy / "train").glob("*/region.npy"))
    np.save(region, np.load(region)[::-1])
    assert Study(tiny(root_copy)).fingerprint != study.fingerprint
    assert same.jobs(row, 0)["first"].name != Study(tiny(root_copy)).jobs(row, 0)["first"].name


def test_2d_is_measured_on_equally_many_views(study):
    for label, row in rows_of("views").items():
        config = study.jobs(row, 0)["second"].settings["config"]
        (exporter,) = [hook for hook in config["hooks"] if hook["type"] == "PseudoLabelExporter"]
        views = exporter.get("dataset", config["data"]["train"])["num_views"]
        assert views == 3
        assert config["data"]["train"]["num_views"] == (int(label) or 3)


def test_first_part_exports_nothing(study):
    config = study.jobs(rows_of("components")["CAM"], 0)["first"].settings["config"]
    assert "PseudoLabelExporter" not in [hook["type"] for hook in config["hooks"]]


def test_changed_weights_file_makes_other_jobs(tmp_path):
    names = []
    for content in (b"a", b"b"):
        (tmp_path / "file.pth").write_bytes(content)
        weights = {"file": encoder(weights=str(tmp_path / "file.pth"))}
        benchmark = tiny("nowhere", image_weights=weights)
        (row,) = table("weights", benchmark).rows
        names.append(Study(benchmark).jobs(row, 0)["first"].name)
    assert names[0] != names[1]


@pytest.mark.parametrize("name", TABLE_NAMES)
@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS)
def test_every_row_makes_configurations(name, benchmark):
    study = Study(benchmark)
    for row in table(name, benchmark).rows:
        roles = study.jobs(row, 0)
        config = roles["second"].settings["config"]
        assert config["seed"] == 0 and config["evaluate"] is False
        assert config["data"]["train"]["data_root"] == partition_root(benchmark, row)
        for key, value in {**row.both, **row.second}.items():
            found = config
            for part in key.split("."):
                found = found[part]
            assert found == value


def test_missing_data_name_what_makes_them():
    with pytest.raises(FileNotFoundError, match=r"no scene of split train.*made by tests/conf"):
        check_data(tiny("nowhere"))


# ---------------------------------------------------------------------------------- partitions


def test_linked_root_shares_all_but_regions(root_copy, tmp_path):
    root = tmp_path / "linked"
    for _ in range(2):  # again: what is linked stays
        partitions.link_scenes(root_copy, root)
    files = {path.relative_to(root) for path in root.rglob("*") if path.is_file()}
    wanted = {path.relative_to(root_copy) for path in root_copy.rglob("*") if path.is_file()}
    regions = {path for path in wanted if "region" in path.name}
    assert files == wanted - regions and len(regions) > 5
    assert all(os.path.samefile(root / path, root_copy / path) for path in files)
    partitions.leave_unassigned(root)
    for scene in schema.scene_dirs(root, ("train", "val")):
        count = len(np.load(scene / "coord.npy"))
        assert (schema.read_region(scene, count) == -1).all()
        views = schema.read_views(scene)
        image = schema.read_view_image(scene, views.frame[0], "region", views.size)
        assert (image == -1).all()
    first = schema.scene_dirs(root_copy, "train")[0]
    assert (np.load(first / "region.npy") >= 0).any()


def test_partition_quality(prepared_root, tmp_path):
    assert 0 < partitions.quality(prepared_root) < 1
    partitions.link_scenes(prepared_root, tmp_path / "linked")
    partitions.leave_unassigned(tmp_path / "linked")
    assert partitions.quality(tmp_path / "linked") is None


# -------------------------------------------------------------------------------------- runner


def test_board_says_what_runs_and_what_failed(monkeypatch):
    said, shown = [], []
    board = Board(4, said.append)
    monkeypatch.setattr(board.line, "show", shown.append)
    board.announce("one", "")
    board.announce("two", "continues")
    board.show("one", "epoch 1/2")
    board.show("two", "epoch 2/2")
    board.close("one", "no such scene")
    board.show("two", "scene 3/4")
    board.close("two")
    board.show("three", "scene 1/4")
    assert [line.split("] ")[-1] for line in said[:2]] == ["1/4 one", "2/4 two: continues"]
    assert said[2].strip() == "failed: one: no such scene"
    assert shown[1:] == [
        "0 of 4 done | one: epoch 1/2 | two: epoch 2/2",
        "0 of 4 done, 1 failed | two: scene 3/4",
        "1 of 4 done, 1 failed | three: scene 1/4",
    ]


class Script(Job):
    """Runs settings["code"], then leaves a file."""

    kind = "script"

    def output(self, out):
        return out / self.name / "done"

    def run(self, out, command, resume):
        command([sys.executable, "-c", textwrap.dedent(self.settings["code"])])
        self.output(out).write_text(str(resume))


def test_failed_job_is_listed_and_the_rest_goes_on(tmp_path):
    said = []
    bad = Script("bad", {"code": "raise SystemExit('no such thing')"})
    after = Script("after", {"code": ""}, {"weight": bad})
    last = Script("last", {"code": "1"}, {"weight": after})
    good = Script("good", {"code": "2"})
    runner = Runner(tmp_path, 1, [], said.append)
    runner.run([bad, after, last, good])
    assert runner.failed.keys() == {bad.name, after.name, last.name}
    assert runner.failed[bad.name].startswith("no such thing (log: ")
    assert runner.failed[after.name] == "needs bad, which failed"
    assert good.output(tmp_path).is_file() and not after.output(tmp_path).exists()
    assert sum("failed: " in line for line in said) == 3


def test_job_that_raises_anything_is_listed(tmp_path):
    class Broken(Script):
        def run(self, out, command, resume):
            raise KeyError("seg_logits")

    broken, good = Broken("broken", {"code": "1"}), Script("good", {"code": "2"})
    runner = Runner(tmp_path, 2, [], lambda _: None)
    runner.run([broken, good])
    assert runner.failed == {broken.name: "KeyError: 'seg_logits'"}
    assert "Traceback" in (tmp_path / broken.name / "log.txt").read_text()


def test_finished_jobs_are_reused_and_failed_ones_go_on(tmp_path):
    flag = tmp_path / "flag"
    job = Script("job", {"code": f"open({str(flag)!r}).close()"})
    for exists in (False, True, True):
        if exists:
            flag.touch()
        said = []
        runner = Runner(tmp_path, 1, [], said.append)
        runner.run([job])
        assert bool(runner.failed) != exists
    assert job.output(tmp_path).read_text() == "True"  # the second attempt resumed the first
    assert "reused" in said[0]


def test_jobs_wait_for_what_they_need_and_run_side_by_side(tmp_path):
    barrier = """
        import pathlib, time
        here = pathlib.Path({folder!r})
        (here / {own!r}).touch()
        end = time.monotonic() + 60
        while not (here / {other!r}).exists():
            assert time.monotonic() < end
            time.sleep(0.01)
    """
    both = [
        Script(own, {"code": barrier.format(folder=str(tmp_path), own=own, other=other)})
        for own, other in (("a", "b"), ("b", "a"))
    ]
    check = f"assert all(open(p).read() for p in {[str(job.output(tmp_path)) for job in both]})"
    last = Script("last", {"code": check}, dict(zip("ab", both, strict=True)))
    runner = Runner(tmp_path, 2, [], lambda _: None)
    runner.run([*both, last])
    assert runner.failed == {}


def test_one_thread_each_on_the_cpu_and_one_gpu_each(tmp_path):
    code = "import os; print(*(os.environ.get(k) for k in {}))".format(
        ["OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "CUDA_VISIBLE_DEVICES"]
    )
    for devices in ([], ["4", "7"]):
        scripts = [Script(str(i), {"code": f"{code}  # {i} {devices}"}) for i in range(2)]
        runner = Runner(tmp_path, 2, devices, lambda _: None)
        runner.run(scripts)
        logs = [(tmp_path / job.name / "log.txt").read_text().split() for job in scripts]
        assert [log[:2] for log in logs] == [["1", "1"]] * 2
        own = os.environ.get("CUDA_VISIBLE_DEVICES", "None")
        assert {log[2] for log in logs} == (set(devices) or {own})


def test_an_interrupt_ends_the_children(tmp_path):
    ready = tmp_path / "ready"
    code = f"import time; open({str(ready)!r}, 'w').close(); time.sleep(600)"
    job = Script("long", {"code": code})

    def interrupt():
        while not ready.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    begin = time.monotonic()
    thread = threading.Thread(target=interrupt)
    thread.start()
    runner = Runner(tmp_path, 1, [], lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        runner.run([job])
    thread.join()
    assert time.monotonic() - begin < 60
    assert all(child.poll() is not None for child in runner.children)
    assert not job.output(tmp_path).exists()


def test_jobs_whose_needs_are_absent_are_an_error(tmp_path):
    job = Script("job", {"code": ""}, {"weight": Script("other", {"code": "1"})})
    with pytest.raises(RuntimeError, match="1 jobs need others"):
        Runner(tmp_path, 1, [], lambda _: None).run([job])


def test_measured_records_memory_and_passes_all_on(tmp_path):
    (tmp_path / "helper.py").write_text("SIZE = 150 * 2**20\n")
    (tmp_path / "script.py").write_text(
        "import sys, helper\nblock = b'1' * helper.SIZE\nsys.exit(int(sys.argv[1]))\n"
    )
    usage = tmp_path / "usage.json"
    command = [sys.executable, measured.__file__, str(usage), str(tmp_path / "script.py")]
    assert subprocess.run([*command, "3"]).returncode == 3
    found = read_json(usage)
    # Of its own: this process, with torch in it, holds more.
    assert 150 <= found["rss_mib"] < 250 and found["cuda_mib"] == 0
    write_json(usage, {"rss_mib": 5000, "cuda_mib": 0})
    assert subprocess.run([*command, "0"]).returncode == 0
    assert read_json(usage)["rss_mib"] == 5000


def test_memory_of_the_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 300 * 2**20)
    measured.record(tmp_path / "usage.json")
    assert read_json(tmp_path / "usage.json")["cuda_mib"] == 300


# ------------------------------------------------------------------------------------- results


def finished(study, row, seed, out, gpu=0, **miou):
    """Leave behind what the jobs of a row leave: 60 s and 100 MiB more for every job."""
    for number, job in enumerate(study.jobs(row, seed).values(), 1):
        write_json(out / job.name / "steps.json", {job.name: {"seconds": 60, "finished": True}})
        path = job.output(out)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        if job.kind == "train":
            usage = {"rss_mib": 100 * number, "cuda_mib": gpu * number}
            write_json(out / job.name / "usage.json", usage)
            store(job.store(out), miou)
        if job.kind == "export":
            store(job.store(out), {"3D": 0.3, "3D per point": 0.2, "2D": 0.1})
        if job.kind == "predict":
            write_json(path, {"miou": 0.4, "scenes": 2})


def store(folder, miou):
    iou = {"3D": {"wall": 0.5, "floor": None, "bed": 0.0}}
    write_json(folder / "manifest.json", {"miou": miou, "coverage": 0.9, "scenes": 3, "iou": iou})


def test_numbers_of_rows(study, tmp_path):
    rows = rows_of("components")
    whole, part = rows["CAM"], rows["CMG + RPC 3D"]
    for seed, per_point in ((0, 0.10), (1, 0.14)):
        finished(study, whole, seed, tmp_path, **{"3D": 0.5, "3D per point": per_point, "2D": 0.2})
    finished(study, part, 0, tmp_path, **{"3D": 0.6, "3D per point": 0.5, "2D": 0.25})
    chosen = table("components").select(["CAM", part.label, "CAM + CMG"])
    lost = study.jobs(part, 1)["first"]
    result = results.collect(
        study, chosen, range(2), tmp_path, {lost.name: "out of memory"}, command="c", where="w"
    )
    cam, none, rpc = result["rows"]
    assert cam["measures"]["3D"]["values"] == [10.0, 14.0]
    assert cam["measures"]["3D"]["mean"] == pytest.approx(12)
    assert cam["measures"]["3D"]["spread"] == pytest.approx(8**0.5)
    expected = {"3D voted": 50, "2D": 20, "coverage": 90, "val stage one": 20,
                "val stage one voted": 30, "val stage two": 40}  # fmt: skip
    assert {k: cam["measures"][k]["mean"] for k in expected} == pytest.approx(expected)
    assert cam["minutes"]["mean"] == 5 and cam["memory_mib"]["mean"] == 400
    assert cam["split"] == {"train": 3, "val": 2} and cam["occurring"] == 2
    assert cam["seeds"] == [0, 1] and rpc["seeds"] == [0] and none["seeds"] == []
    assert rpc["measures"]["3D"]["spread"] is None and none["measures"] == {}
    assert cam["tags"]["3D"] is True and cam["tags"]["val stage two"] is False
    assert result["failures"] == {lost.title: "out of memory"}
    assert json.loads(json.dumps(result))["rows"][0]["measures"] == cam["measures"]


def test_memory_is_of_the_gpu_where_there_is_one(study, tmp_path):
    row = rows_of("components")["CMG + RPC 3D"]
    finished(study, row, 0, tmp_path, gpu=7, **{"3D": 0.5})
    found = results.row_result(study, row, [0], tmp_path)
    assert found["memory_mib"]["mean"] == 14 and found["memory_of"] == "GPU"


def test_unfinished_job_is_no_result(study, tmp_path):
    row = rows_of("components")["CAM"]
    finished(study, row, 0, tmp_path, **{"3D": 0.5})
    assert results.seed_result(study, row, 0, tmp_path)
    job = study.jobs(row, 0)["second"]
    write_json(tmp_path / job.name / "steps.json", {job.name: {"seconds": 9, "finished": False}})
    assert results.seed_result(study, row, 0, tmp_path) is None


def test_partition_quality_is_of_the_rows_regions(study):
    rows = rows_of("partitions")
    benchmark = study.benchmark
    found = results.partition_quality(benchmark, rows["growing"])
    assert found == partitions.quality(Path(benchmark.data_root))
    assert results.partition_quality(benchmark, rows["point-wise"]) is None
    assert results.partition_quality(benchmark, rows_of("components")["CAM"]) is None


def entry(mean, spread=None):
    return {"mean": mean, "spread": spread, "values": [mean]}


def hand_made():
    row = {
        "label": "CAM + 2D→3D & more_of | it",
        "differences": {},
        "classes": "ScanNet 20",
        "occurring": 12,
        "split": {"train": 64, "val": 16},
        "tags": {"3D": True, "coverage": True, "val stage two": False, "partition": None},
        "seeds": [0, 2],
        "config": "0123456789ab",
        "measures": {
            "3D": entry(31.25, 1.04),
            "coverage": entry(99.96, 0.0),
            "val stage two": entry(40),
        },
        "minutes": entry(12.34, 0.5),
        "memory_mib": entry(812.6, 3.4),
        "memory_of": "process",
        "paper": {"3D": 36.8, "2D": 16.3},
    }
    empty = {**row, "label": "lost", "measures": {}, "seeds": [], "split": {}, "tags": {},
             "occurring": None, "minutes": entry(None), "memory_mib": entry(None),
             "paper": {}}  # fmt: skip
    return {
        "table": "components",
        "title": "Components",
        "note": "A note.",
        "dataset": "tiny rooms",
        "command": "tools/ablation.py components",
        "where": "2 cores",
        "version": "1",
        "measures": {name: what for name, (what, _) in results.MEASURES.items()},
        "unit": "%",
        "paper": results.PAPER,
        "rows": [row, empty],
        "failures": {"lost: part 1": "killed", "lost: part 2": "needs lost: part 1, which failed"},
    }


def test_markdown_of_hand_made_results():
    lines = writers.markdown(hand_made()).splitlines()
    assert lines[0] == "# Components on tiny rooms"
    assert lines[2] == "    tools/ablation.py components"
    head, rule, row, empty = (re.split(r"(?<!\\) \| |^\| | \|$", line)[1:-1] for line in lines[4:8])
    assert len(head) == len(rule) == len(row) == len(empty)
    found = dict(zip(head, row, strict=True))
    assert found == {
        "": "CAM + 2D→3D & more_of \\| it",
        "3D": "31.2 ± 1.0",
        "coverage": "100.0 ± 0.0",
        "val: stage two": "40.0",
        "min": "12.3 ± 0.5",
        "MiB": "813 ± 3",
        "classes": "ScanNet 20, 12 occur",
        "scenes": "train 64, val 16",
        "tags at inference": "yes (train), no (val)",
        "seeds": "0 2",
        "config": "0123456789ab",
        "ScanNet (paper)": "3D 36.8, 2D 16.3",
    }
    text = "\n".join(lines)
    assert "- Failed: lost: part 1: killed." in text
    assert "Not started, for they need these: 1 jobs." in text
    assert "which is another data set; not to be compared in value" in text


def test_latex_of_hand_made_results():
    lines = writers.latex(hand_made()).splitlines()
    body = [line for line in lines if not line.startswith("%")]
    assert body[0].startswith(r"\begin{tabular}{l") and body[-1] == r"\end{tabular}"
    columns = re.search(r"{([lr]+)}$", body[0])[1]
    rows = [line for line in body if line.endswith(r"\\")]
    cells = [re.split(r"(?<!\\)&", row.removesuffix(r"\\")) for row in rows]
    assert {len(row) for row in cells} == {len(columns)}
    assert cells[1][0].strip() == r"CAM + 2D$\to$3D \& more\_of | it"
    assert cells[1][1].strip() == r"31.2 $\pm$ 1.0"


def test_files_of_hand_made_results(tmp_path):
    paths = writers.write(hand_made(), tmp_path)
    assert [path.name for path in paths] == ["components.json", "components.md", "components.tex"]
    assert read_json(paths[0]) == hand_made()
    figure.draw(hand_made(), tmp_path / "components.png")
    with Image.open(tmp_path / "components.png") as image:
        colors = {pixel for _, pixel in image.convert("RGB").getcolors(2**24)}
    assert (0x48, 0x78, 0xA8) in colors and (0xD8, 0x90, 0x48) not in colors  # 3D, and no 2D


def test_figure_without_results(tmp_path):
    result = hand_made()
    result["rows"] = result["rows"][1:]
    figure.draw(result, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").is_file()


# ------------------------------------------------------------------------------------- command


def test_arguments():
    args = ablation.parse_arguments(["views", "--options", "epoch=4", "model.a=(1,2)", "b.c=x"])
    assert dict(args.options) == {"epoch": 4, "model.a": (1, 2), "b.c": "x"}
    assert args.out == REPOSITORY / "results/synthetic" and args.seeds == 3
    for wrong in (["no-table"], ["views", "--seeds", "0"], ["views", "--options", "epoch"]):
        with pytest.raises(SystemExit):
            ablation.parse_arguments(wrong)


def test_write_only_writes_what_has_finished(study, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(BENCHMARKS, "synthetic", study.benchmark)
    options = [f"{key}={value}" for key, value in study.benchmark.stage_one.items()]
    row = rows_of("components")["CAM"]
    finished(study, row, 1, tmp_path / "exp", **{"3D": 0.5, "3D per point": 0.25, "2D": 0.2})
    arguments = ["components", "--write-only", "--seeds", "2", "--options", *options,
                 "--exp", str(tmp_path / "exp"), "--out", str(tmp_path / "out")]  # fmt: skip
    assert ablation.main(arguments) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {f"components.{suffix}" for suffix in ("md", "tex", "json", "png")}
    said = capsys.readouterr().out
    assert "written: " in said and "| CAM | 25.0 | 50.0 | 20.0 | 90.0 |" in said
    result = read_json(tmp_path / "out/components.json")
    assert [row["seeds"] for row in result["rows"]] == [[1], *[[]] * 7]
    assert result["command"].startswith("tools/ablation.py components --write-only --seeds 2")


def test_list_runs_nothing(capsys):
    assert ablation.main(["guidance", "--list", "--rows", "affinity / *"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and '"model.guidance_2d": "affinity"' in lines[1]


# -------------------------------------------------------------------------- trainings, tiny


@pytest.fixture(scope="module")
def every_option(prepared_root, tmp_path_factory):
    """The tiny benchmark on a data set of its own, beside which other roots may be made."""
    folder = tmp_path_factory.mktemp("tables")
    weights = folder / "resnet10t.pth"
    torch.save({"state_dict": timm.create_model("resnet10t").state_dict()}, weights)
    pretrained = encoder(weights=str(weights))
    frozen = encoder(weights=str(weights), frozen=True)
    return tiny(
        shutil.copytree(prepared_root, folder / "prepared"),
        more={"batch_size": 2, "epoch": 2, "eval_epoch": 1, "num_worker": 0},
        image_weights={"none": encoder(weights="none"), "pretrained": pretrained, "frozen": frozen},
    )


@pytest.fixture(scope="module")
def folder_of_trainings(tmp_path_factory):
    return tmp_path_factory.mktemp("trainings")


def train_here(job, out):
    """Do a training job in this process, once; its checkpoint."""
    folder = job.folder(out)
    if not job.output(out).is_file():
        cfg = Config(copy.deepcopy(job.settings["config"]))
        weight = job.needs["weight"].output(out) if "weight" in job.needs else None
        cfg.update(save_path=str(folder), weight=weight and str(weight), resume=False)
        cfg.data.train.loop = cfg.epoch // cfg.eval_epoch
        (folder / "model").mkdir(parents=True)
        Trainer(default_setup(cfg)).train()
    return torch.load(job.output(out), weights_only=False)


def call(command):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run(command, cwd=REPOSITORY, check=True, env=environment, capture_output=True)


EVERY_ROW = [(name, row.label) for name in TABLES for row in table(name).rows]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "label"), EVERY_ROW)
def test_every_row_trains(name, label, every_option, folder_of_trainings):
    study, out = Study(every_option), folder_of_trainings
    roles = study.jobs(rows_of(name, every_option)[label], 0)
    if "regions" in roles and not roles["regions"].output(out).exists():
        roles["regions"].run(out, call, resume=False)
    train_here(roles["first"], out)
    state = train_here(roles["second"], out)["state_dict"]
    assert state["iteration"] == 3
    assert all(torch.isfinite(v).all() for v in state.values() if v.is_floating_point())
    manifest = read_json(roles["second"].store(out) / "manifest.json")
    assert manifest["scenes"] == 3 and 0 < manifest["miou"]["3D per point"] < 1
    assert manifest["miou"].keys() == {"3D", "3D per point", "2D"}


RUN = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {tools!r}]
import ablation
import pointcept_wsegpc.register  # noqa: F401  fills the registries
import test_ablation
benchmark = test_ablation.tiny({root!r})
table = test_ablation.two_rows()
failed = ablation.run_table(benchmark, table, [0], Path({out!r}), workers=2)
ablation.write_table(benchmark, table, [0], Path({out!r}), Path({out!r}), failed, "a command")
"""


def two_rows():
    rows = rows_of("components")
    good = dataclasses.replace(rows["CMG + RPC 3D"], stage_two="pseudo")
    broken = Row("broken", {"model.no_such_option": 1}, stage_two="truth")
    return Table("pair", "Two rows", (broken, good))


def start(root, out):
    places = {"tests": str(REPOSITORY / "tests"), "tools": str(REPOSITORY / "tools")}
    code = RUN.format(**places, root=str(root), out=str(out))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    environment.pop("POINTCEPT_ROOT", None)
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, start_new_session=True, cwd=REPOSITORY
    )


def kill_when(process, log, text):
    """SIGKILL to a run and all its children as soon as a training's log says `text`."""
    try:
        deadline = time.monotonic() + 240
        while text not in (log.read_text() if log.is_file() else ""):
            assert process.poll() is None, f"ended by itself with {process.returncode}"
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_killed_and_resumed_gives_equal_results(prepared_root, tmp_path):
    study = Study(tiny(prepared_root))
    roles = study.jobs(two_rows().rows[1], 0)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(prepared_root, whole).wait() == 0
    for role in ("second", "stage_two"):
        log = roles[role].folder(killed) / "train.log"
        kill_when(start(prepared_root, killed), log, "Train: [2/3][2/3]")
    assert start(prepared_root, killed).wait() == 0
    for role in ("second", "stage_two"):
        one, other = (
            torch.load(roles[role].output(out), weights_only=False) for out in (whole, killed)
        )
        assert one["epoch"] == other["epoch"] == 3
        resumed = (roles[role].folder(killed) / "train.log").read_text()
        assert "Resuming train at eval epoch: " in resumed
        for key, value in one["state_dict"].items():
            assert torch.equal(value, other["state_dict"][key]), (role, key)
    one, other = (read_json(out / "pair.json") for out in (whole, killed))
    assert one["rows"][1]["measures"] == other["rows"][1]["measures"]
    check_pair(one)
    check_pair(other)


def check_pair(result):
    """The broken row is listed, and the other one complete."""
    broken, good = result["rows"]
    assert broken["measures"] == {} and broken["seeds"] == []
    causes = [line for line in result["failures"].values() if not line.startswith("needs ")]
    assert len(causes) == 1 and "no_such_option" in causes[0]
    assert good["measures"].keys() == results.MEASURES.keys() - {"partition"}
    assert all(0 <= entry["mean"] <= 100 for entry in good["measures"].values())
    assert good["minutes"]["mean"] > 0 and good["memory_mib"]["mean"] > 100
