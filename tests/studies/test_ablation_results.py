"""What tools/ablation.py writes: numbers of rows, files; and its command line."""

import dataclasses
import importlib.util
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stores import write_store
from tiny_tables import rows_of, table, tiny

import ablation
from ablations import (
    cells,
    comparisons,
    figure,
    partitions,
    results,
    rooms,
    summaries,
    writers,
)
from ablations.benchmarks import BENCHMARKS
from ablations.rows import Comparison
from ablations.study import Study
from ablations.tables import TABLES
from pointcept_wsegpc.contracts.scene import scene_dirs
from pointcept_wsegpc.files import read_json, write_json


@pytest.fixture(scope="module")
def study(prepared_root):
    return Study(tiny(prepared_root))


# ------------------------------------------------------------------------------------------ results


def finished(study, row, seed, out, gpu=0, **miou):
    """Leave behind what the jobs of a row leave: 60 s and 100 MiB more for every job."""
    for number, job in enumerate(study.jobs(row, seed).values(), 1):
        write_json(out / job.name / "steps.json", {job.name: {"seconds": 60, "finished": True}})
        path = job.output(out)
        path.parent.mkdir(parents=True, exist_ok=True)
        if job.kind != "export":
            path.touch()
        if job.kind == "train":
            usage = {"rss_mib": 100 * number, "cuda_mib": gpu * number}
            write_json(out / job.name / "usage.json", usage)
            store(job.store(out), miou)
        if job.kind == "export":
            store(job.store(out), {"3d": 0.3, "3d_no_vote": 0.2, "2d": 0.1})
        if job.kind == "predict":
            write_json(path, {"miou": 0.4, "scenes": 2})


def store(folder, miou):
    iou = {"3d": {"wall": 0.5, "floor": None, "bed": 0.0}}
    label = np.arange(10) - 1  # nine of ten
    write_store(folder, dict.fromkeys("abc", label), quality={"miou": miou, "iou": iou})


def test_numbers_of_rows(study, tmp_path):
    rows = rows_of("components")
    whole, part = rows["CAM"], rows["CMG + RPC 3D"]
    for seed, per_point in ((0, 0.10), (1, 0.14)):
        finished(study, whole, seed, tmp_path, **{"3d": 0.5, "3d_no_vote": per_point, "2d": 0.2})
    finished(study, part, 0, tmp_path, **{"3d": 0.6, "3d_no_vote": 0.5, "2d": 0.25})
    chosen = table("components").select(["CAM", part.label, "CAM + CMG"])
    lost = study.jobs(part, 1)["first"]
    result = results.collect(
        study, chosen, range(2), tmp_path, {lost.name: "out of memory"}, command="c", where="w"
    )
    assert result["rows"][0]["iou"] == {"3D voted": {"wall": 50.0, "bed": 0.0}}
    cam, none, rpc = result["rows"]
    assert cam["measures"]["3D"]["values"] == [10.0, 14.0]
    assert cam["measures"]["3D"]["mean"] == pytest.approx(12)
    assert cam["measures"]["3D"]["spread"] == pytest.approx(8**0.5)
    expected = {"3D voted": 50, "2D": 20, "coverage": 90, "val stage one": 20,
                "val stage one voted": 30, "val stage two": 40}  # fmt: skip
    assert {k: cam["measures"][k]["mean"] for k in expected} == pytest.approx(expected)
    assert cam["minutes"]["mean"] == 2 and cam["minutes_stage_two"]["values"] == [1, 1]
    assert rpc["minutes"]["mean"] == 2 and rpc["minutes_stage_two"]["values"] == []
    assert cam["memory_mib"]["mean"] == rpc["memory_mib"]["mean"] == 200  # stage two had 400
    assert cam["split"] == {"train": 3, "val": 2} and cam["occurring"] == 2
    assert cam["seeds"] == [0, 1] and rpc["seeds"] == [0] and none["seeds"] == []
    assert rpc["measures"]["3D"]["spread"] is None and none["measures"] == {}
    assert cam["tags"]["3D"] is True and cam["tags"]["val stage two"] is False
    # A training that rows share has the title under which it ran.
    assert result["failures"] == {"CAM + CMG, seed 1: part 1 of stage one": "out of memory"}
    assert json.loads(json.dumps(result))["rows"][0]["measures"] == cam["measures"]


def test_memory_is_of_the_gpu_where_there_is_one(study, tmp_path):
    row = rows_of("components")["CMG + RPC 3D"]
    finished(study, row, 0, tmp_path, gpu=7, **{"3d": 0.5})
    found = results.row_result(study, row, [0], tmp_path)
    assert found["memory_mib"]["mean"] == 14 and found["memory_of"] == "GPU"


def test_unfinished_job_is_no_result(study, tmp_path):
    row = rows_of("components")["CAM"]
    finished(study, row, 0, tmp_path, **{"3d": 0.5})
    assert results.seed_result(study, row, 0, tmp_path)
    job = study.jobs(row, 0)["second"]
    write_json(tmp_path / job.name / "steps.json", {job.name: {"seconds": 9, "finished": False}})
    assert results.seed_result(study, row, 0, tmp_path) is None


def test_finished_stage_one_is_shown_without_stage_two(study, tmp_path):
    row = rows_of("components")["CAM"]
    for seed in (0, 1):
        finished(study, row, seed, tmp_path, **{"3d": 0.5, "3d_no_vote": 0.25, "2d": 0.2})
    roles = study.jobs(row, 1)
    roles["predict"].output(tmp_path).unlink()
    (tmp_path / roles["stage_two"].name / "steps.json").unlink()
    found = results.row_result(study, row, [0, 1], tmp_path)
    assert found["seeds"] == found["measures"]["3D"]["seeds"] == [0, 1]
    assert found["measures"]["val stage one"]["values"] == pytest.approx([20, 20])
    stage_two = found["measures"]["val stage two"]
    assert stage_two["seeds"] == [0] and stage_two["values"] == pytest.approx([40])
    assert found["minutes"]["seeds"] == [0, 1] and found["minutes_stage_two"]["seeds"] == [0]
    names = ["3D", "val stage two", "minutes", "minutes_stage_two"]
    assert cells.cells(found, names)[1:5] == [
        "25.0 ± 0.0", "40.0 (seed 0)", "2.0 ± 0.0", "1.0 (seed 0)",
    ]  # fmt: skip


def test_full_supervision_has_no_2d(study, tmp_path):
    row = rows_of("components")["full supervision"]
    finished(study, row, 0, tmp_path, **{"3d": 0.5, "3d_no_vote": 0.25, "2d": 0.2})
    found = results.row_result(study, row, [0], tmp_path)["measures"]
    assert "3D" in found and "2D" not in found
    iou = results.row_result(study, row, [0], tmp_path)["iou"]
    assert "3D voted" in iou and "2D" not in iou


def test_titles_of_shared_jobs_are_those_that_ran(study, tmp_path):
    lost = study.jobs(rows_of("components")["CAM"], 0)["first"]
    result = results.collect(study, table("components"), range(2), tmp_path, {lost.name: "killed"})
    assert result["failures"] == {"CAM, seed 0: part 1 of stage one": "killed"}  # CAM + RPC shares


def test_partition_quality_is_of_the_rows_regions(study, tmp_path):
    rows = rows_of("partitions")
    root = Path(study.benchmark.data_root)
    found, strict = partitions.quality(root)
    assert 0 < strict < found < 1
    both = results.row_partition(study, rows["growing"], tmp_path)
    assert both == {"partition": found, "partition strict": strict}
    study.regions(rows["point-wise"]).run(tmp_path, None, resume=False)
    alone = results.row_partition(study, rows["point-wise"], tmp_path)
    assert alone == {"partition": 1, "partition strict": 0}
    assert results.row_partition(study, rows_of("components")["CAM"], tmp_path) == {}
    for seed in (0, 1):
        finished(study, rows["growing"], seed, tmp_path, **{"3d": 0.5})
    measures = results.row_result(study, rows["growing"], [0, 1], tmp_path)["measures"]
    assert measures["partition"]["values"] == [pytest.approx(100 * found, abs=1e-3)]


@pytest.mark.parametrize("name", TABLES)
def test_every_table_with_two_seeds_of_every_row_is_written(name, study, tmp_path):
    whole = table(name, study.benchmark)
    for row in whole.rows:
        if regions := study.regions(row):
            partitions.link_scenes(Path(study.benchmark.data_root), regions.root(tmp_path))
            partitions.leave_unassigned(regions.root(tmp_path))
        for seed in (0, 1):
            score = {"3d": 0.5, "3d_no_vote": 0.25 + 0.1 * seed, "2d": 0.2}
            finished(study, row, seed, tmp_path, **score)
    result = results.collect(study, whole, range(2), tmp_path, command="c", where="w")
    writers.write(result, tmp_path / "out")
    text = (tmp_path / "out" / f"{name}.md").read_text()
    for row in result["rows"]:
        assert row["seeds"] == [0, 1] and f"| {row['label']} | 30.0 ± 7.1 |" in text
    assert len(result["comparisons"]) == len(whole.comparisons)
    assert text.count("+0.0 ± 0.0 (0 of 2)") >= len(whole.comparisons)


def of_row(label, **measures):
    named = {name: summaries.over_seeds(values) for name, values in measures.items()}
    return {"label": label, "measures": named}


def test_comparisons_are_of_the_same_seed():
    rows = [
        of_row("CAM", a={0: 10.0, 1: 20.0, 2: 30.0}, b={1: 1.0}),
        of_row("RPC", a={1: 21.0, 2: 34.0, 3: 99.0}, c={1: 1.0}),
        of_row("best", a={2: 50.0, 1: 40.0}),
        of_row("none"),
    ]
    asked = (
        Comparison("more", "RPC", "CAM"),
        Comparison("more than without", "best", "RPC", less=("RPC", "CAM")),
        Comparison("no result", "none", "CAM"),
        Comparison("not among the rows", "lost", "CAM"),
        Comparison("less than nothing", "RPC", "CAM", less=("lost", "CAM")),
    )
    more, beyond = comparisons.compare(asked, rows)
    assert (more["what"], more["row"], more["over"], more["less"]) == ("more", "RPC", "CAM", None)
    assert more["measures"].keys() == {"a"}
    found = more["measures"]["a"]
    assert found["values"] == [1.0, 4.0] and found["seeds"] == [1, 2]
    assert found["mean"] == 2.5 and found["spread"] == pytest.approx(4.5**0.5)
    assert dict(zip(*(beyond["measures"]["a"][k] for k in ("seeds", "values")), strict=True)) == {
        1: 18.0, 2: 12.0,
    }  # fmt: skip


def test_stage_two_is_compared_with_the_stage_one_of_its_labels():
    one = {"val stage one": {0: 30.0, 1: 20.0}, "val stage one voted": {0: 40.0, 1: 25.0}}
    rows = [
        of_row("CAM", **one, **{"val stage two": {1: 28.0}}),
        of_row("CMG", **one),
    ]
    (gain,) = comparisons.stage_two_gains(rows)
    assert gain["row"] == "CAM"
    assert gain["measures"]["val stage one"]["values"] == [8.0]
    assert gain["measures"]["val stage one voted"]["values"] == [3.0]


def test_span_of_rows():
    rows = [
        {"label": "a", "measures": {"3D": {"mean": 4.0}, "2D": {"mean": 1.0}}},
        {"label": "b", "measures": {"3D": {"mean": 7.5}}},
        {"label": "c", "measures": {"3D": {"mean": 50.0}}},
        {"label": "d", "measures": {}},
    ]
    found = comparisons.span(("a", "b", "d"), rows)
    assert found == {"rows": ["a", "b"], "measures": {"3D": 3.5}}
    assert comparisons.span(("a", "d"), rows) == {}


@pytest.mark.parametrize("name", TABLES)
def test_comparisons_are_of_rows_of_the_table(name):
    whole = table(name)
    labels = {row.label for row in whole.rows}
    for comparison in whole.comparisons:
        assert {comparison.row, comparison.over, *(comparison.less or ())} <= labels
    assert set(whole.alike) <= labels and set(whole.pictured) <= labels


def test_classes_without_an_iou_in_some_seed():
    seeds = [
        {"3d": {"wall": 0.5, "bed": None, "door": None}, "2d": {"wall": 0.1}},
        {"3d": {"wall": 0.7, "bed": 0.2, "door": None}, "2d": {"wall": 0.1}},
    ]
    found = results.mean_iou_of_classes(seeds, without=("2D",))
    assert found == {"3D voted": {"wall": 60.0, "bed": 20.0}}


def entry(mean, spread=None, seeds=(0, 2)):
    return {"mean": mean, "spread": spread, "values": [mean], "seeds": list(seeds)}


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
            "val stage two": entry(40, seeds=[2]),
        },
        "minutes": entry(12.34, 0.5),
        "minutes_stage_two": entry(7),
        "memory_mib": entry(812.6, 3.4),
        "memory_of": "process",
        "paper": {"3D": 36.8, "2D": 16.3},
        "iou": {"3D": {"wall": 50.04, "bed": 0.0}},
    }
    empty = {**row, "label": "lost", "measures": {}, "seeds": [], "split": {}, "tags": {},
             "iou": {}, "occurring": None, "minutes": entry(None), "minutes_stage_two": entry(None),
             "memory_mib": entry(None), "paper": {}}  # fmt: skip
    return {
        "table": "components",
        "title": "Components",
        "note": "A note.",
        "options": {"epoch": 4, "model.consistency": "region"},
        "dataset": "tiny rooms",
        "command": "tools/ablation.py components",
        "where": "2 cores",
        "version": "1",
        "measures": {name: what for name, (what, _) in results.MEASURES.items()},
        "unit": "%",
        "paper": results.PAPER,
        "rows": [row, empty],
        "comparisons": [
            {
                "what": "consistency",
                "row": "RPC",
                "over": "CAM",
                "less": None,
                "measures": {
                    "2D": {
                        "values": [1.5, -0.5, 2.0],
                        "mean": 1.0,
                        "spread": 1.32,
                        "seeds": [0, 1, 2],
                    },
                    "coverage": {"values": [0.0], "mean": 0.0, "spread": None, "seeds": [0]},
                },
            },
            {
                "what": "Mix3D",
                "row": "all",
                "over": "RPC",
                "less": None,
                "measures": {
                    "3D": {"values": [-1.0], "mean": -1.0, "spread": None, "seeds": [0]},
                },
            },
        ],
        "stage_two_gains": [
            {
                "row": "RPC",
                "measures": {
                    "val stage one": {"values": [2.0], "mean": 2.0, "spread": None, "seeds": [0]},
                },
            },
        ],
        "span": {"rows": ["growing", "supervoxel"], "measures": {"partition": 9.04, "3D": 2.5}},
        "failures": {"lost: part 1": "killed"},
        "not_started": ["lost: part 2", "lost: labels of val"],
    }


def test_markdown_of_hand_made_results():
    lines = writers.markdown(hand_made()).splitlines()
    assert lines[0] == "# Components on tiny rooms"
    assert lines[2] == "    tools/ablation.py components"
    found, heads = {}, []
    for block in (lines[4:8], lines[9:13]):
        head, rule, row, empty = (re.split(r"(?<!\\) \| |^\| | \|$", line)[1:-1] for line in block)
        assert len(head) == len(rule) == len(row) == len(empty)
        found.update(zip(head, row, strict=True))
        heads.append(head)
    assert heads[0] == ["", "3D", "coverage", "val: stage two", "ScanNet (paper)"]
    assert heads[1][:2] == ["", "min"]
    assert found == {
        "": "CAM + 2D→3D & more_of \\| it",
        "3D": "31.2 ± 1.0",
        "coverage": "100.0 ± 0.0",
        "val: stage two": "40.0 (seed 2)",
        "min": "12.3 ± 0.5",
        "min, stage two": "7.0",
        "MiB": "813 ± 3",
        "classes": "ScanNet 20, 12 occur",
        "scenes": "train 64, val 16",
        "tags at inference": "yes (train), no (val)",
        "seeds": "0 2",
        "config": "0123456789ab",
        "ScanNet (paper)": "3D 36.8, 2D 16.3",
    }
    assert lines[14:22] == [
        "| differences in | 3D | 2D |",
        "| --- | --- | --- |",
        "| consistency: RPC over CAM | - | +1.0 ± 1.3 (2 of 3) |",
        "| Mix3D: all over RPC | -1.0 (0 of 1) | - |",
        "",
        "| val: stage two over | stage one |",
        "| --- | --- |",
        "| RPC | +2.0 (1 of 1) |",
    ]
    assert lines[-3:] == [
        "| 3D, IoU | wall | bed |",
        "| --- | --- | --- |",
        "| CAM + 2D→3D & more_of \\| it | 50.0 | 0.0 |",
    ]
    text = "\n".join(lines)
    assert "- Highest minus lowest mean over growing, supervoxel: regions 9.0, 3D 2.5." in text
    assert "- Failed: lost: part 1: killed." in text
    assert "- Options of stage one in every row: epoch = 4, model.consistency = 'region'." in text
    assert "- Not started, for they need these: lost: part 2; lost: labels of val." in text
    assert "which is another data set, those in 3D after a region vote; not to be" in text


def test_latex_of_hand_made_results():
    lines = writers.latex(hand_made()).splitlines()
    assert any(line.startswith("% Options of stage one in every row: epoch = 4") for line in lines)
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


def test_picture_of_rooms_needs_all_its_rows(study, prepared_root, tmp_path):
    whole = table("components")
    chosen = dataclasses.replace(whole, pictured=("CAM", "CAM + CMG"))
    path = tmp_path / "rooms.png"

    def label(row, seed):
        finished(study, row, seed, tmp_path, **{"3d": 0.5})
        folder = study.jobs(row, seed)["second"].store(tmp_path)
        scenes = scene_dirs(prepared_root, "train")[: rooms.ROOMS]
        write_store(folder, {scene.name: np.load(scene / "segment20.npy") for scene in scenes})

    label(rows_of("components")["CAM"], 0)
    assert not rooms.draw(study, chosen, [0, 1], tmp_path, path) and not path.exists()
    for name in chosen.pictured:
        label(rows_of("components")[name], 1)
    assert rooms.draw(study, chosen, [0, 1], tmp_path, path)
    with Image.open(path) as image:
        width, height = image.size
    assert width == round(3.4 * 4 * 110) and height > 600  # input, truth, and the two rows
    none = dataclasses.replace(whole, pictured=())
    assert not rooms.draw(study, none, [0, 1], tmp_path, path)


def test_figure_without_results(tmp_path):
    result = hand_made()
    result["rows"] = result["rows"][1:]
    figure.draw(result, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").is_file()


# ------------------------------------------------------------------------------------------ command


def test_arguments():
    args = ablation.parse_arguments(["views", "--options", "epoch=4", "model.a=(1,2)", "b.c=x"])
    assert dict(args.options) == {"epoch": 4, "model.a": (1, 2), "b.c": "x"}
    assert args.out is None and args.seeds == 3
    for wrong in (["no-table"], ["views", "--seeds", "0"], ["views", "--options", "epoch"]):
        with pytest.raises(SystemExit):
            ablation.parse_arguments(wrong)


def test_write_only_writes_what_has_finished(study, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(BENCHMARKS, "synthetic", study.benchmark)
    options = [f"{key}={value}" for key, value in study.benchmark.stage_one.items()]
    row = rows_of("components")["CAM"]
    finished(study, row, 1, tmp_path / "exp", **{"3d": 0.5, "3d_no_vote": 0.25, "2d": 0.2})
    arguments = ["components", "--write-only", "--seeds", "2", "--options", *options,
                 "--exp", str(tmp_path / "exp"), "--out", str(tmp_path / "out")]  # fmt: skip
    assert ablation.main(arguments) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {f"components.{suffix}" for suffix in ("md", "tex", "json", "png")}
    said = capsys.readouterr().out
    assert "written: " in said and "| CAM | 25.0 | 50.0 | 20.0 | 90.0 |" in said
    result = read_json(tmp_path / "out/components.json")
    assert [row["seeds"] for row in result["rows"]] == [[1], *[[]] * 7]
    assert "/" not in result["where"]  # no folder of this machine
    command = result["command"]
    begin = "tools/ablation.py components --dataset synthetic --seeds 2 --options "
    assert command.startswith(begin)
    assert not {"--write-only", "--exp", "--out"} & set(shlex.split(command))
    again = ablation.parse_arguments(shlex.split(command)[1:])
    assert dict(again.options) == study.benchmark.stage_one


def test_recorded_options_are_read_as_they_were():
    options = ["a=3", "b='3'", "c=x y", "d=(1, None)", "e=None", "f='None'"]
    arguments = ["views", "--rows", "1*", "6", "--options", *options, "--exp", "x", "--workers=2"]
    args = ablation.parse_arguments(arguments)
    command = ablation.recorded(args)
    again = ablation.parse_arguments(shlex.split(command)[1:])
    assert again.options == args.options and again.rows == ["1*", "6"]
    assert "--exp" not in command and "--workers" not in command


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], "views"),
        (["--seeds", "2"], "views"),
        (["--seeds", "1"], "views-partial"),
        (["--seeds", "2", "--write-only"], "views-partial"),
        (["--rows", "6"], "views-partial"),
        (["--options", "epoch=4"], "views-partial"),
        (["--seeds", "1", "--rows", "6", "--options", "epoch=4", "--out", "mine"], "views"),
    ],
)
def test_less_does_not_overwrite_the_whole_table(arguments, name, tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "REPOSITORY", tmp_path)
    rows = [{"label": "3", "seeds": [0, 1]}, {"label": "6", "seeds": [0]}]
    write_json(tmp_path / "docs/results/synthetic/views.json", {"rows": rows})
    args = ablation.parse_arguments(["views", *arguments])
    seeds = list(range(args.seeds))
    finished = {"3": seeds, "6": [] if args.write_only else seeds}
    result = {"rows": [{"label": label, "seeds": found} for label, found in finished.items()]}
    out, found = ablation.place(args, result)
    assert found == name
    assert out == (Path("mine") if "mine" in arguments else tmp_path / "docs/results/synthetic")


def test_first_table_of_few_seeds_has_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "REPOSITORY", tmp_path)
    args = ablation.parse_arguments(["views", "--seeds", "1"])
    result = {"rows": [{"label": "3", "seeds": [0]}]}
    assert ablation.place(args, result)[1] == "views"


def test_nothing_finished_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"no row of views has finished in .*; run it first"):
        ablation.main(["views", "--write-only", "--exp", str(tmp_path), "--out", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_pictures_are_missed_aloud(study, tmp_path, monkeypatch, capsys):
    row = rows_of("components")["CAM"]
    finished(study, row, 0, tmp_path, **{"3d": 0.5})
    real = importlib.util.find_spec
    absent = {"matplotlib": None}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: absent[name] if name in absent else real(name)
    )
    chosen = table("components").select(["CAM"])
    args = study, chosen, [0], tmp_path
    result = ablation.table_result(*args, "c")
    paths = ablation.write_table(result, *args, tmp_path / "out")
    assert [path.suffix for path in paths] == [".json", ".md", ".tex"]
    assert "no pictures, for matplotlib is not there; pip install" in capsys.readouterr().out


def test_list_runs_nothing(capsys):
    assert ablation.main(["guidance", "--list", "--rows", "affinity / *"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and '"model.guidance_2d": "affinity"' in lines[1]
