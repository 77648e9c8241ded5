"""What tools/studies/ablation.py writes: numbers of rows, files; and its command line."""

import dataclasses
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from stores import write_store
from tiny_tables import rows_of, table, tiny

import ablation
from ablations import data, figures, report, results
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
        study, chosen, range(2), tmp_path, {lost.title: "out of memory"}, command="c", where="w"
    )
    assert result["rows"][0]["iou"] == {"3D voted": {"wall": 50.0, "bed": 0.0}}
    cam, none, rpc = result["rows"]
    assert cam["metrics"]["3D"]["values"] == [10.0, 14.0]
    assert cam["metrics"]["3D"]["mean"] == pytest.approx(12)
    assert cam["metrics"]["3D"]["spread"] == pytest.approx(8**0.5)
    expected = {"3D voted": 50, "2D": 20, "coverage": 90, "val stage one": 20,
                "val stage one voted": 30, "val stage two": 40}  # fmt: skip
    assert {k: cam["metrics"][k]["mean"] for k in expected} == pytest.approx(expected)
    assert cam["minutes"]["mean"] == 2 and cam["minutes_stage_two"]["values"] == [1, 1]
    assert rpc["minutes"]["mean"] == 2 and rpc["minutes_stage_two"]["values"] == []
    assert cam["memory_mib"]["mean"] == rpc["memory_mib"]["mean"] == 200  # stage two had 400
    assert cam["split"] == {"train": 3, "val": 2} and cam["occurring"] == 2
    assert cam["seeds"] == [0, 1] and rpc["seeds"] == [0] and none["seeds"] == []
    assert rpc["metrics"]["3D"]["spread"] is None and none["metrics"] == {}
    assert cam["tags"]["3D"] is True and cam["tags"]["val stage two"] is False
    assert result["failures"] == {lost.title: "out of memory"}
    assert json.loads(json.dumps(result))["rows"][0]["metrics"] == cam["metrics"]


def test_finished_stage_one_is_shown_without_stage_two(study, tmp_path):
    row = rows_of("components")["CAM"]
    for seed in (0, 1):
        finished(study, row, seed, tmp_path, **{"3d": 0.5, "3d_no_vote": 0.25, "2d": 0.2})
    roles = study.jobs(row, 1)
    roles["predict"].output(tmp_path).unlink()
    (tmp_path / roles["stage_two"].name / "steps.json").unlink()
    found = results.row_result(study, row, [0, 1], tmp_path)
    assert found["seeds"] == found["metrics"]["3D"]["seeds"] == [0, 1]
    assert found["metrics"]["val stage one"]["values"] == pytest.approx([20, 20])
    stage_two = found["metrics"]["val stage two"]
    assert stage_two["seeds"] == [0] and stage_two["values"] == pytest.approx([40])
    assert found["minutes"]["seeds"] == [0, 1] and found["minutes_stage_two"]["seeds"] == [0]
    assert report.entry(found, found["metrics"]["3D"]) == "25.0 ± 0.0"
    assert report.entry(found, stage_two) == "40.0 (seed 0)"
    job = roles["second"].name
    write_json(tmp_path / job / "steps.json", {job: {"seconds": 9, "finished": False}})
    assert results.row_result(study, row, [0, 1], tmp_path)["seeds"] == [0]


def test_partition_quality_is_of_the_rows_regions(study, tmp_path):
    rows = rows_of("partitions")
    found, strict = data.quality(Path(study.benchmark.data_root))
    both = results.row_partition(study, rows["growing"], tmp_path)
    assert both == {"partition": found, "partition strict": strict}
    study.regions(rows["point-wise"]).run(tmp_path, None, resume=False)
    alone = results.row_partition(study, rows["point-wise"], tmp_path)
    assert alone == {"partition": 1, "partition strict": 0}
    assert results.row_partition(study, rows_of("components")["CAM"], tmp_path) == {}
    finished(study, rows["growing"], 0, tmp_path, **{"3d": 0.5})
    metrics = results.row_result(study, rows["growing"], [0, 1], tmp_path)["metrics"]
    assert metrics["partition"]["values"] == [pytest.approx(100 * found, abs=1e-3)]


def of_row(label, **metrics):
    named = {name: results.summary(values) for name, values in metrics.items()}
    return {"label": label, "metrics": named}


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
    more, beyond = results.compare(asked, rows)
    assert (more["what"], more["row"], more["over"], more["less"]) == ("more", "RPC", "CAM", None)
    assert more["metrics"] == {"a": results.summary({1: 1.0, 2: 4.0})}
    assert results.values(beyond, "a") == {1: 18.0, 2: 12.0}


def test_stage_two_is_compared_with_the_stage_one_of_its_labels():
    one = {"val stage one": {0: 30.0, 1: 20.0}, "val stage one voted": {0: 40.0, 1: 25.0}}
    rows = [of_row("CAM", **one, **{"val stage two": {1: 28.0}}), of_row("CMG", **one)]
    (gain,) = results.stage_two_gains(rows)
    assert gain["row"] == "CAM"
    values = {name: summary["values"] for name, summary in gain["metrics"].items()}
    assert values == {"val stage one": [8.0], "val stage one voted": [3.0]}


def test_span_of_rows():
    rows = [
        {"label": "a", "metrics": {"3D": {"mean": 4.0}, "2D": {"mean": 1.0}}},
        {"label": "b", "metrics": {"3D": {"mean": 7.5}}},
        {"label": "c", "metrics": {"3D": {"mean": 50.0}}},
        {"label": "d", "metrics": {}},
    ]
    found = results.span(("a", "b", "d"), rows)
    assert found == {"rows": ["a", "b"], "metrics": {"3D": 3.5}}
    assert results.span(("a", "d"), rows) == {}


@pytest.mark.parametrize("name", TABLES)
def test_comparisons_are_of_rows_of_the_table(name):
    whole = table(name)
    labels = {row.label for row in whole.rows}
    for comparison in whole.comparisons:
        assert {comparison.row, comparison.over, *(comparison.less or ())} <= labels
    assert set(whole.alike) <= labels and set(whole.pictured) <= labels


# ------------------------------------------------------------------------------------------ command


OPTIONS = ["a=3", "b='3'", "c=x y", "d=(1, None)", "e=None", "f='None'"]


def listed(monkeypatch, *arguments):
    """The stage one that a command line asks for, and the command recorded for it."""
    seen = []
    monkeypatch.setattr(ablation, "describe", lambda table, benchmark: seen.append(benchmark) or [])
    main(*arguments, "--list")
    return seen[0].stage_one


def main(*arguments):
    return ablation.command.main([str(word) for word in arguments], standalone_mode=False)


def test_recorded_options_are_read_as_they_were(monkeypatch):
    changes = listed(monkeypatch, "views", "--rows", "1*", "6", "--options", *OPTIONS)
    assert (changes["b"], changes["c"], changes["d"]) == ("3", "x y", (1, None))
    command = shlex.split(ablation.recorded("views", "synthetic", 3, ["1*", "6"], changes))
    assert command[1:8] == ["views", "--dataset", "synthetic", "--seeds", "3", "--rows", "1*"]
    assert listed(monkeypatch, *command[1:]) == changes


@pytest.mark.parametrize(
    ("finished", "partial", "name"),
    [
        ({"3": [0, 1, 2], "6": [0, 1, 2]}, False, "views"),
        ({"3": [0, 1], "6": [0, 1]}, False, "views"),
        ({"3": [], "6": []}, False, "views"),  # nothing is there: read, not written
        ({"3": [0], "6": [0]}, False, "views-partial"),
        ({"3": [0, 1], "6": []}, False, "views-partial"),
        ({"3": [0, 1], "6": [0]}, True, "views-partial"),
    ],
)
def test_less_does_not_overwrite_the_whole_table(finished, partial, name, tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "REPOSITORY", tmp_path)
    rows = [{"label": "3", "seeds": [0, 1]}, {"label": "6", "seeds": [0]}]
    folder = tmp_path / "docs/results/synthetic"
    write_json(folder / "views.json", {"rows": rows})
    rows = [{"label": label, "seeds": found} for label, found in finished.items()]
    result = {"table": "views", "rows": rows, "failures": {}}
    assert ablation.place(result, "synthetic", None, partial) == (folder, name)
    assert ablation.place(result, "synthetic", Path("mine"), partial) == (Path("mine"), "views")


def test_report_only_writes_what_has_finished_or_what_the_json_says(study, tmp_path, monkeypatch):
    monkeypatch.setitem(BENCHMARKS, "synthetic", study.benchmark)
    options = [f"{key}={value}" for key, value in study.benchmark.stage_one.items()]
    row, out = rows_of("components")["CAM"], tmp_path / "out"
    finished(study, row, 1, tmp_path / "exp", **{"3d": 0.5, "3d_no_vote": 0.25, "2d": 0.2})
    arguments = ["components", "--report-only", "--seeds", 2, "--options", *options, "--out", out]
    assert main(*arguments, "--work-dir", tmp_path / "no") == 1  # no row has finished
    assert main(*arguments, "--work-dir", tmp_path / "exp") == 0
    names = {path.name for path in out.iterdir()}
    assert names == {f"components.{suffix}" for suffix in ("md", "tex", "json", "png")}
    result = read_json(out / "components.json")
    assert [row["seeds"] for row in result["rows"]] == [[1], *[[]] * 7]
    assert "/" not in result["where"]  # no folder of this machine
    text = (out / "components.md").read_text()
    assert "| CAM | 25.0 | 50.0 | 20.0 | 90.0 |" in text
    (out / "components.md").unlink()
    assert main(*arguments, "--work-dir", tmp_path / "no") == 0
    assert (out / "components.md").read_text() == text


def test_failures_and_marks_of_tables_in_the_texts(study, tmp_path):
    row = rows_of("components")["CAM"]
    finished(study, row, 0, tmp_path, **{"3d": 0.5})
    lost = study.jobs(row, 1)["first"].title
    chosen = table("components").select(["CAM"])
    chosen = dataclasses.replace(chosen, rows=(dataclasses.replace(row, label="a|b_c → d"),))
    found = results.collect(study, chosen, [0, 1], tmp_path, {lost: "killed"}, [lost])
    found |= {"command": "c", "where": "w"}
    markdown, latex = report.markdown(found), report.latex(found)
    assert "| a\\|b_c → d |" in markdown and r"a|b\_c $\to$ d &" in latex
    for text in (markdown, latex):
        assert "seed 1: part 1 of stage one: killed" in text
        assert len({line.count("&") for line in text.splitlines() if line.endswith("\\\\")}) <= 1


def test_rooms_are_drawn_once_all_their_rows_have_finished(study, prepared_root, tmp_path):
    chosen = dataclasses.replace(table("components"), pictured=("CAM", "CAM + CMG"))
    path, scenes = tmp_path / "rooms.png", scene_dirs(prepared_root, "train")[: figures.ROOMS]
    truth = {scene.name: np.load(scene / "segment20.npy") for scene in scenes}
    for label, seed, drawn in (("CAM", 0, False), ("CAM", 1, False), ("CAM + CMG", 1, True)):
        row = rows_of("components")[label]
        finished(study, row, seed, tmp_path, **{"3d": 0.5})
        write_store(study.jobs(row, seed)["second"].store(tmp_path), truth)
        assert figures.draw_rooms(study, chosen, [0, 1], tmp_path, path) is drawn is path.is_file()
