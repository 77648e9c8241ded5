"""Numbers of partitions, their sums over scenes, and what the report says about them."""

import json

import numpy as np
import pytest

from pointcept_wsegpc.metrics import boundary_counts, partition_quality
from pointcept_wsegpc.regions.cloud import Cloud
from pointcept_wsegpc.regions.scenes import report, report_text
from pointcept_wsegpc.regions.scenes.quality import Tally, boundary_of, measure
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
    total = sum(tallies, Tally())
    numbers = total.summary()
    region, segment = np.concatenate(regions), np.concatenate(segments)
    assert numbers["quality"] == pytest.approx(partition_quality(region, segment, 20))
    recalled, boundary = boundary_counts(region, segment, np.concatenate(tables))
    recall = recalled / boundary
    assert numbers["boundary_recall"] == pytest.approx(recall) and 0 < recall < 1.01
    assert numbers["unassigned"] == (region < 0).mean()
    assert (total.regions, total.partitions, total.points) == (27, 3, 900)
    assert (numbers["regions"], numbers["seconds"], numbers["points_per_second"]) == (9, 1.5, 600)
    largest = sum(np.bincount(r[r >= 0]).max() for r in regions)
    assert numbers["largest"] == largest / 900


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
    assert (again + tally).quality == pytest.approx(tally.quality)


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
    "region", [np.where(FINE < 5, -1, FINE), np.where(FINE < 11, 0, FINE - 10), FINE // 3,
               np.arange(1000) // 2, np.full(1000, -1)],
)  # fmt: skip
def test_a_bad_partition_gets_advice_on_its_scene(region):
    lines = advice(FINE, region)
    assert lines and all("1 of 2 scenes" in line and "val/1" in line for line in lines)


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


def test_scenes_of_all_kinds_have_a_report():
    bare = record(FINE)
    bare["views"] = {"views": 0, "derived": {}, **Tally().summary(), "counts": Tally().to_json()}
    wypr = RegionSettings.resolve(preset="wypr")
    worse = record(np.where(FINE < 9, -1, FINE), FINE % 4, wypr, warnings=["points lie far apart"])
    numbers = report.build({"a/b": bare, "train/a": worse}, ["val/c"])
    json.dumps(numbers, allow_nan=False)
    text = report_text.text(numbers, "x")
    for found in ("0.550", "22.5%", "val/c", "train/a: points lie far apart"):
        assert found in text
    assert "a/b" not in report_text.text(report.build({}, ["a/b"]), "x")
