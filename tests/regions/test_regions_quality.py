"""Numbers of partitions, their sums over scenes, and what the report says about them."""

import json

import numpy as np
import pytest

from pointcept_wsegpc.metrics import boundary_counts, partition_quality
from pointcept_wsegpc.regions.cloud import Cloud
from pointcept_wsegpc.regions.scenes import report, report_text
from pointcept_wsegpc.regions.scenes.quality import Tally, add_up, boundary_of, measure
from pointcept_wsegpc.regions.scenes.settings import RegionSettings


def random_scenes(count=3, n=300):
    rng = np.random.default_rng(0)
    for _ in range(count):
        coord = rng.uniform(0, 1, (n, 3))
        yield coord, rng.integers(-1, 9, n), rng.integers(-1, 6, n)


def test_sums_are_the_numbers_of_all_points_together():
    tallies, regions, segments, tables = [], [], [], []
    for i, (coord, region, segment) in enumerate(random_scenes()):
        cloud = Cloud(coord)
        tallies.append(measure(region, segment, boundary_of(cloud, region, segment), 0.5))
        order = cloud.rows  # the rows of a cloud have an order of their own
        regions.append(np.where(region >= 0, region + 9 * i, -1)[order])
        segments.append(segment[order])
        tables.append(cloud.neighbours(8) + 300 * i)
    total = add_up(tallies)
    region, segment = np.concatenate(regions), np.concatenate(segments)
    assert total.quality == pytest.approx(partition_quality(region, segment, 20))
    recalled, boundary = boundary_counts(region, segment, np.concatenate(tables))
    recall = recalled / boundary
    assert total.boundary_recall == pytest.approx(recall) and 0 < recall < 1.01
    assert total.unassigned_share == (region < 0).mean()
    assert (total.regions, total.partitions, total.points) == (27, 3, 900)
    assert total.regions_each == 9 and total.seconds == 1.5 and total.speed == 600
    largest = sum(np.bincount(r[r >= 0]).max() for r in regions)
    assert total.largest_share == largest / 900


def test_sizes_by_hand():
    region = np.repeat([0, 1, 2, 3, -1], [1, 2, 3, 4, 5])
    tally = measure(region)
    assert tally.sizes[:4].tolist() == [1, 2, 1, 0] and tally.sizes.sum() == tally.regions == 4
    assert tally.largest == 4 and tally.unassigned == 5 and tally.points == 15
    assert 2 <= tally.median_size < 4
    assert measure(np.repeat(np.arange(7), 64)).median_size == pytest.approx(64 * 2**0.5)
    gaps = measure(np.array([0, 0, 7]))  # an id without points is no region
    assert gaps.regions == 2 and gaps.sizes.sum() == 2


def test_what_has_no_value_is_left_out():
    assert Tally().summary() == {"seconds": 0.0}
    nothing = measure(np.full(10, -1))
    assert set(nothing.summary()) == {"regions", "unassigned", "largest", "seconds"}
    assert nothing.summary()["unassigned"] == 1 and np.isnan(nothing.quality)
    unlabeled = measure(np.zeros(10, int), np.full(10, -1))
    assert not {"quality", "boundary_recall"} & set(unlabeled.summary())


def test_json_and_back():
    (_, region, segment), *_ = random_scenes()
    tally = measure(region, segment, (3, 4), 0.25)
    again = Tally.from_json(json.loads(json.dumps(tally.to_json())))
    assert again.summary() == tally.summary() and (again.sizes == tally.sizes).all()
    assert add_up([again, tally]).quality == pytest.approx(tally.quality)


@pytest.mark.parametrize(
    "change",
    [
        {"points": -1}, {"points": 1.5}, {"points": "10"}, {"points": [10]}, {"points": None},
        {"points": 10**30}, {"seconds": "1"}, {"seconds": float("nan")}, {"sizes": [1, 2]},
        {"sizes": [0] * 32}, {"target": [0.5] * 21}, {"target": [[1], [2, 3]]}, {"odd": 3},
    ],
)  # fmt: skip
def test_counts_that_no_tally_has_are_refused(change):
    counts = measure(np.arange(10) // 3, np.arange(10)).to_json()
    assert Tally.from_json(counts).to_json() == counts
    with pytest.raises(ValueError):
        Tally.from_json({**counts, **change})
    for wrong in ([], None, {}, {k: v for k, v in counts.items() if k != "boundary"}):
        with pytest.raises(ValueError, match="expected the counts partitions, points, "):
            Tally.from_json(wrong)


# ------------------------------------------------------------------------------- report


def record(region, segment=None, settings=None, warnings=()):
    """What regions.json would hold of a scene whose only view has the same regions."""
    tally = measure(np.asarray(region), segment, seconds=0.1)
    numbers = {"derived": {}, **tally.summary(), "counts": tally.to_json()}
    return {
        "settings": (settings or RegionSettings()).values(),
        "points": {"spacing": 0.02, **numbers},
        "views": {"views": 1, **numbers},
        "warnings": list(warnings),
    }


FINE = np.repeat(np.arange(20), 50)


def advice(*regions, **options):
    records = {f"val/{i}": record(region, **options) for i, region in enumerate(regions)}
    return [line for line in report.build(records)["advice"] if line.startswith("points")]


def test_a_good_partition_gets_no_advice():
    assert advice(FINE, FINE) == []


@pytest.mark.parametrize(
    ("region", "says"),
    [
        (np.where(FINE < 5, -1, FINE), ("a fifth", "(val/1: 25%)", "raise", "lower min_size")),
        (np.where(FINE < 11, 0, FINE - 10), ("leaks", "(val/1: 55%)", "lower", "max_angle")),
        (FINE // 3, ("fewer than 10 regions a scene", "(val/1: 7)", "lower max_distance")),
        (np.arange(1000) // 2, ("shattered", "(val/1: 3)", "raise max_distance or max_angle")),
    ],
)
def test_advice_names_the_scene_and_what_to_change(region, says):
    (line,) = advice(FINE, region)
    assert "in 1 of 2 scenes" in line and "--set" in line
    for words in says:
        assert words in line


def test_nothing_assigned_is_advised_on_too():
    lines = advice(np.full(100, -1))
    assert len(lines) == 2 and "or --fill" in lines[0] and "fewer than 10" in lines[1]


def test_three_scenes_and_the_worst():
    segment = np.arange(1000) // 250
    wrong = [0, 400, 100, 300, 200]
    regions = {
        f"train/{i}": np.where(np.arange(1000) < w, -1, segment * 2) for i, w in enumerate(wrong)
    }
    records = {name: record(region, segment) for name, region in regions.items()}
    by_quality = sorted(records, key=lambda name: records[name]["points"]["quality"])
    assert report.worst_first(records) == by_quality and by_quality[-1] == "train/0"
    assert report.three_scenes(records) == [by_quality[0], by_quality[2], by_quality[4]]
    records["test/a"] = record(FINE)  # without labels: never among them if others have some
    assert report.three_scenes(records) == [by_quality[0], by_quality[2], by_quality[4]]
    assert report.worst_first(records)[-1] == "test/a"
    unlabeled = {str(share): record(np.where(share > FINE, -1, FINE)) for share in (2, 9, 5)}
    assert report.three_scenes(unlabeled) == ["9", "5", "2"]
    assert report.three_scenes({"only": record(FINE)}) == ["only"]
    assert report.three_scenes({}) == []


def test_text_is_complete():
    wypr = RegionSettings.resolve(preset="wypr")
    records = {
        "train/a": record(FINE, FINE % 4, warnings=["points lie far apart"]),
        "val/b": record(np.where(FINE < 9, -1, FINE), FINE % 4, wypr),
    }
    numbers = report.build(records, ["val/c"])
    json.dumps(numbers, allow_nan=False)
    text = report_text.text(numbers, "Regions of here")
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    assert lines["regions each"].split()[2:] == ["15.5", "11.0..20.0"] * 2
    assert lines["unassigned"].split()[1:3] == ["22.5%", "0.0%..45.0%"]
    assert lines["32..63"].split() == ["32..63", "31", "#" * 24, "31", "#" * 24]
    assert lines["val/b"].split()[1:] == ["0.550", "-", "0.450", "0.050", "11"]
    assert "! 1 scenes are missing, val/c first" in text
    assert "! scenes were made with 2 different settings" in text
    assert "! warnings in 1 of 2 scenes, train/a: points lie far apart" in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_scenes_without_views_or_labels():
    entry = record(FINE)
    entry["views"] = {"views": 0, "derived": {}, **Tally().summary(), "counts": Tally().to_json()}
    text = report_text.text(report.build({"a/b": entry}), "x")
    assert [line.split()[-2:] for line in text.splitlines() if "mIoU" in line] == [["-", "-"]]
    assert report_text.text(report.build({}, ["a/b"]), "x") == "x: no finished scene"
