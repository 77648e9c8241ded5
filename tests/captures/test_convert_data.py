"""Data that others prepared, converted: equal to what the ScanNet preparation makes of it."""

import os
import shutil

import numpy as np
import other_layouts
import pytest
import torch
from cli import wsegpc
from errors import assert_error
from PIL import Image
from scene_views import cameras_of, color_difference, links

from pointcept_wsegpc.captures.base import CAPTURES
from pointcept_wsegpc.captures.converted.arrays import read_dictionary, read_superpoints, read_tuple
from pointcept_wsegpc.captures.converted.cameras import NOMINAL, find_cameras
from pointcept_wsegpc.captures.converted.correspondence import depth_of_pairs
from pointcept_wsegpc.captures.preparing import find_captures, prepare
from pointcept_wsegpc.checks.scene import Settings as CheckSettings
from pointcept_wsegpc.checks.scene import check_scene
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.contracts.scene import read_points, read_region
from pointcept_wsegpc.contracts.tags import read_scene_tags
from pointcept_wsegpc.contracts.views import read_view_image, read_views
from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.files.pickles import read_pickled
from pointcept_wsegpc.labels.official import convert_pseudo_labels

SCANNET20 = ClassTable.shipped("scannet20")

SIZE = (36, 48)
NAME = "scene0001_00"
WRITERS = {
    "wsegpc": other_layouts.write_wsegpc,
    "openscene": other_layouts.write_openscene,
    "concerto": other_layouts.write_concerto,
}
EVERY = {"wsegpc": 2, "openscene": 2, "concerto": 1}


def settings(layout, **changes):
    values = {"stride": EVERY[layout], "height": SIZE[0], "width": SIZE[1], **changes}
    return CAPTURES.get(layout).settings(**values)


def convert(capture, **changes):
    """The manifest of the prepared scene."""
    return prepare(capture, settings(capture.format, **changes))


def found(layout, source, tmp_path, split="train"):
    """The one scene of a split, which will go to tmp_path/out."""
    (capture,) = find_captures(layout, source, tmp_path / "out", settings(layout, split=(split,)))
    return capture


@pytest.fixture(scope="module")
def raw_captures(prepared_root):
    """The captures of two of the rooms that prepared_root was made from."""
    captures = find_captures("scannet", prepared_root.parent / "raw", prepared_root)
    return [c for c in captures if c.name in (NAME, "scene0003_00")]


@pytest.fixture(scope="module")
def sources(raw_captures, tmp_path_factory):
    """{layout: folder} of the same rooms: read only."""
    folders = {}
    for layout, write in WRITERS.items():
        folders[layout] = tmp_path_factory.mktemp(layout)
        write(raw_captures, folders[layout])
    return folders


@pytest.fixture(scope="module")
def converted(sources, tmp_path_factory):
    """{layout: data root} of the converted rooms: read only."""
    roots = {}
    for layout, source in sources.items():
        roots[layout] = tmp_path_factory.mktemp(f"{layout}-root")
        for capture in find_captures(layout, source, roots[layout]):
            convert(capture)
    return roots


def scene_of(root, split="train", name=NAME):
    return root / split / name


# ------------------------------------------------------------------ the same as from ScanNet


@pytest.mark.parametrize("layout", WRITERS)
def test_points_are_those_of_the_scan(converted, prepared_root, layout):
    for split, name in (("train", NAME), ("val", "scene0003_00")):
        expected = read_points(
            prepared_root / split / name, ("coord", "color", "normal", "segment20")
        )
        found = read_points(scene_of(converted[layout], split, name), list(expected))
        for key, array in expected.items():
            assert found[key].dtype == array.dtype
            if key == "normal" and layout == "openscene":  # estimated from so few points
                known = np.abs(array).sum(1) > 0
                assert np.median((found[key] * array)[known].sum(1)) > 0.9
            else:
                assert np.array_equal(found[key], array), key
        manifests = [
            read_json(r / split / name / "manifest.json")["tags"]
            for r in (prepared_root, converted[layout])
        ]
        assert manifests[0] == manifests[1]


@pytest.mark.parametrize("layout", ["wsegpc", "openscene"])
def test_views_and_links_are_those_of_the_scan(converted, prepared_root, layout):
    scene, reference = scene_of(converted[layout]), scene_of(prepared_root)
    views, expected = read_views(scene), read_views(reference)
    assert views.frame.tolist() == expected.frame.tolist() and (views.size == expected.size).all()
    assert np.allclose(views.intrinsic, expected.intrinsic, atol=1e-4)
    assert np.allclose(views.world_to_camera, expected.world_to_camera, atol=1e-6)
    if layout == "wsegpc":  # openscene's folders do not say it
        assert np.allclose(views.axis_alignment, expected.axis_alignment)
    else:
        assert np.allclose(views.axis_alignment, np.eye(4))
    for frame in views.frame:
        pair = [read_view_image(s, frame, "depth") for s in (scene, reference)]
        assert np.array_equal(*pair)
        difference = color_difference(scene, frame, reference, frame)
        assert difference.mean() < (4 if layout == "wsegpc" else 12)
        label = read_view_image(scene, frame, "label")
        assert set(np.unique(label)) <= {frame % 20, -1} and (label >= 0).mean() > 0.8
    same = links(scene, 0.04)
    assert same == links(reference, 0.04) and len(same) > 1000


def test_the_lost_and_blank_frames_are_listed(converted, prepared_root):
    for layout in WRITERS:
        for split, name in (("train", NAME), ("val", "scene0003_00")):
            frames = [
                read_json(scene_of(root, split, name) / "manifest.json")["frames"]
                for root in (converted[layout], prepared_root)
            ]
            assert frames[0]["read"] == frames[1]["read"] == 6
            lost = [sorted(n for bad in f["bad"].values() for n in bad) for f in frames]
            assert lost[0] == lost[1]


def test_links_of_correspondences_are_those_of_the_scan(converted, prepared_root):
    """The color camera's views link the same points, at the pixels where they project."""
    scene, reference = scene_of(converted["concerto"]), scene_of(prepared_root)
    assert read_views(scene).frame.tolist() == read_views(reference).frame.tolist()
    found, expected = links(scene, 0.04), links(reference, 0.3)
    depth = [depth for *_, depth in cameras_of(reference)]
    # Where the depth camera measured nothing, the table of the mesh has depth all the same.
    known = [key for key in found if depth[key[0]][found[key]] > 0]
    assert len(known) > 0.8 * len(found) > 1000
    shared = [(found[key], expected[key]) for key in known if key in expected]
    assert len(shared) > 0.95 * len(known)
    assert np.abs(np.diff(shared, axis=1)).max() <= 1  # another camera


@pytest.mark.parametrize("layout", WRITERS)
def test_converted_scenes_pass_the_checks(converted, layout):
    check = CheckSettings(SCANNET20, num_views=4)
    record = check_scene(scene_of(converted[layout]), check)
    assert ("photo_fit" in record) == (layout == "concerto")  # its depth is that of its points
    missing = {"missing-region", "missing-region-images"} if layout != "wsegpc" else set()
    assert {problem["key"] for problem in record["problems"]} == missing


# --------------------------------------------------------------------------- regions, parts


def test_superpoints_become_regions(converted, sources):
    scene = scene_of(converted["wsegpc"])
    given = other_layouts.superpoints(np.load(scene / "coord.npy"))
    region = read_region(scene, len(given))
    assert np.array_equal(region < 0, given < 0) and (region < 0).any()
    # One to one, and numbered from 0.
    pairs = set(zip(region[region >= 0].tolist(), given[given >= 0].tolist(), strict=True))
    assert sorted(id_ for id_, _ in pairs) == list(range(len({old for _, old in pairs})))
    views = read_views(scene)
    for frame in views.frame:
        path = sources["wsegpc"] / "scannet_2d" / NAME / "depth" / f"{frame}.png"
        expected = other_layouts.image_superpoints(np.asarray(Image.open(path)))
        stored = read_view_image(scene, frame, "region", views.size[0])
        assert np.array_equal(stored, other_layouts.resized(expected, SIZE))
    manifest = read_json(scene / "manifest.json")
    assert manifest["regions"] == {"points": True, "views": len(views)}


def test_regions_can_be_left_out(sources, tmp_path):
    capture = found("wsegpc", sources["wsegpc"], tmp_path, "val")
    manifest = convert(capture, regions=False)
    assert manifest["regions"] == {"points": False, "views": 0}
    assert not list(capture.target.rglob("*region*"))


def test_concerto_arrays_are_hard_links(converted, sources):
    source = sources["concerto"] / "train" / NAME / "coord.npy"
    assert os.path.samefile(source, scene_of(converted["concerto"]) / "coord.npy")


def test_missing_and_broken_files_are_listed(sources, tmp_path):
    source = shutil.copytree(sources["openscene"], tmp_path / "source")
    images = source / "scannet_2d" / NAME
    (images / "pose" / "0.txt").unlink()
    (images / "depth" / "0.png").write_bytes(b"no image")  # the others tell the size
    (images / "depth" / "2.png").unlink()
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(images / "depth" / "4.png")
    (images / "color" / "6.jpg").write_bytes(b"no image")
    (images / "pose" / "8.txt").write_text("1 2 3")
    (images / "pose" / "400.txt").write_text("1 2 3")
    (images / "color" / "left 0.jpg").write_bytes(b"")
    capture = found("openscene", source, tmp_path)
    manifest = convert(capture)
    assert manifest["frames"]["bad"] == {
        "a pose or depth but no image": [400],
        "a name that is no number": ["left 0.jpg"],
        "no pose file": [0],
        "no depth image": [2],
        "8-bit depth image (256 steps are no depth: export 16 bits)": [4],
        "unreadable color image": [6],
        "unreadable pose": [8],
    }
    assert read_views(capture.target).frame.tolist() == [10]


def test_a_scene_without_images_is_kept_for_3d(sources, tmp_path):
    source = shutil.copytree(sources["openscene"], tmp_path / "source")
    shutil.rmtree(source / "scannet_2d" / NAME)
    capture = found("openscene", source, tmp_path)
    manifest = convert(capture)
    assert manifest["num_views"] == 0 and manifest["normals"] == "estimated"
    assert len(read_points(capture.target)["coord"]) == manifest["num_points"]


def test_normals_of_a_mesh_beside_the_points(sources, raw_captures, tmp_path, prepared_root):
    source = shutil.copytree(sources["openscene"], tmp_path / "source")
    raw = next(c for c in raw_captures if c.name == NAME)
    shutil.copy(raw.mesh, source / "scannet_3d" / "train")
    capture = found("openscene", source, tmp_path)
    assert convert(capture)["normals"] == "mesh"
    expected = np.load(scene_of(prepared_root) / "normal.npy")
    assert np.array_equal(np.load(capture.target / "normal.npy"), expected)


def test_bpnets_own_folders_are_found(sources, tmp_path):
    (tmp_path / "b").mkdir()
    shutil.copytree(sources["openscene"] / "scannet_3d" / "train", tmp_path / "b" / "train")
    shutil.copytree(sources["openscene"] / "scannet_2d", tmp_path / "b" / "2D")
    capture = found("openscene", tmp_path / "b", tmp_path)
    assert capture.name == NAME and capture.images == tmp_path / "b" / "2D" / NAME


def test_a_wrong_source_gets_one_line(tmp_path):
    for layout in WRITERS:
        with pytest.raises(FileNotFoundError, match=rf"{tmp_path}; expected .*SCENE"):
            find_captures(layout, tmp_path, tmp_path.parent / "out")
    with pytest.raises(ValueError, match="lies inside"):
        find_captures("wsegpc", tmp_path, tmp_path / "out")


def test_concertos_folders_of_cameras_are_refused(sources, tmp_path):
    source = shutil.copytree(sources["concerto"], tmp_path / "source")
    images = source / "images" / "train" / NAME
    shutil.move(images / "color", images / "camera" / "color")
    capture = found("concerto", source, tmp_path)
    with pytest.raises(ValueError, match="prepare s3dis"):
        convert(capture)


def test_broken_files_of_concerto_are_listed(sources, tmp_path):
    source = shutil.copytree(sources["concerto"], tmp_path / "source")
    images = source / "images" / "train" / NAME
    numbers = sorted(int(path.stem) for path in (images / "color").iterdir())
    matrix = np.load(images / "intrinsic/intrinsic.npy")
    np.save(images / f"intrinsic/{numbers[0]}.npy", np.arange(5.0))
    np.save(images / f"intrinsic/{numbers[1]}.npy", matrix * np.nan)
    np.save(images / f"intrinsic/{numbers[2]}.npy", np.array([{}], dtype=object))
    np.save(images / f"correspondence/{numbers[3]}.npy", np.array([["a", "b", "c"]]))
    capture = found("concerto", source, tmp_path)
    bad = convert(capture)["frames"]["bad"]
    reasons = {frame: why for why, frames in bad.items() for frame in frames}
    assert [reasons[number] for number in numbers[:4]] == [
        "intrinsic of another shape",
        "impossible intrinsic",
        "unreadable intrinsic file",
        "unreadable correspondence file",
    ]
    assert len(read_views(capture.target)) > 0


@pytest.mark.parametrize("split", ["..", "../other", "/tmp", ".", ""])
def test_splits_that_leave_the_output_are_refused(split):
    with pytest.raises(ValueError, match="expected the name of a folder"):
        settings("openscene", split=(split,))


def test_names_that_leave_the_output_and_second_files_are_refused(tmp_path):
    folder = tmp_path / "source/scannet_3d/train"
    folder.mkdir(parents=True)
    for names, message in (
        ((".._vh_clean_2.pth",), r"'\.\.' is no name"),
        (("_vh_clean_2.pth",), "'' is no name"),
        (("a.pth", "a_vh_clean_2.pth"), "'train/a' is there twice"),
    ):
        for name in names:
            (folder / name).write_bytes(b"")
        with pytest.raises(ValueError, match=message):
            find_captures("openscene", tmp_path / "source", tmp_path / "out")
        for name in names:
            (folder / name).unlink()


# --------------------------------------------------------------------------------- pickles


class Shell:
    """A pickle of this runs a command when it is opened without care."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize(("layout", "modern"), [("wsegpc", True), ("openscene", False)])
def test_a_malicious_pickle_is_refused(sources, tmp_path, layout, modern):
    source = shutil.copytree(sources[layout], tmp_path / "source")
    capture = found(layout, source, tmp_path)
    shell = Shell(tmp_path / "owned")
    stored = (np.zeros((3, 3)), shell) if layout == "openscene" else {"coord": shell}
    torch.save(stored, capture.points, _use_new_zipfile_serialization=modern)
    with pytest.raises(ValueError, match=r"refused, it asks for .*system"):
        convert(capture)
    assert not (tmp_path / "owned").exists() and not capture.target.exists()
    torch.load(capture.points, weights_only=False)  # it would have
    assert (tmp_path / "owned").exists()


def test_numeric_arrays_of_every_type_are_read(tmp_path):
    arrays = {code: np.arange(6).reshape(2, 3).astype(code) for code in "?bBhHiIqQefd"}
    numbers = {f"{code} {code}": array[0, 1] for code, array in arrays.items()}
    torch.save({**arrays, **numbers, "t": [torch.ones(2)]}, tmp_path / "a.pth")
    stored = read_pickled(tmp_path / "a.pth")
    assert stored.pop("t")[0].sum() == 2
    for code, array in arrays.items():
        assert stored[code].dtype == array.dtype and (stored[code] == array).all()
        assert stored[f"{code} {code}"] == array[0, 1]


def test_arrays_of_old_numpy_are_read(tmp_path):
    """numpy 1 pickles name numpy.core, numpy 2 numpy._core; both are read by either."""
    import zipfile

    torch.save({"a": np.arange(3.0)}, tmp_path / "new.pth")
    for ours, theirs in ((b"numpy._core", b"numpy.core"), (b"numpy.core", b"numpy._core")):
        new, old = tmp_path / "new.pth", tmp_path / "old.pth"
        with zipfile.ZipFile(new) as source, zipfile.ZipFile(old, "w") as target:
            for name in source.namelist():
                target.writestr(name, source.read(name).replace(ours + b".m", theirs + b".m"))
        assert read_pickled(tmp_path / "old.pth")["a"].tolist() == [0, 1, 2]


def test_other_contents_are_refused(tmp_path):
    path = tmp_path / "a.pth"
    torch.save(np.array([{}], dtype=object), path)
    with pytest.raises(ValueError, match="only arrays, numbers and strings"):
        read_pickled(path)
    path.write_bytes(b"\x80\x02garbage")
    with pytest.raises(ValueError, match=r"a\.pth"):
        read_pickled(path)
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match="expected a dictionary with coord"):
        read_dictionary(path)
    torch.save({"coord": 3}, path)
    with pytest.raises(ValueError, match=r"expected a tuple \(coord, color, label\)"):
        read_tuple(path)


def pickled(path, *, code="f8", fields=None, flags=-1, data=b"A" * 32):
    """Write a file with an array (4,) of one's own making: numpy writes none of the odd ones."""
    import pickle
    import zipfile

    def dump(value):
        return pickle.dumps(value, 2)[2:-1]

    kind = b"cnumpy\ndtype\n"
    odd = b"(" + kind + dump((fields,)) + b"R" + dump((1,)) + b"t" if fields else b"N"
    kind += dump((code, False, True)) + b"R(" + dump(3) + dump("<") + odd + b"NN"
    kind += dump(8) * 2 + dump(flags) + b"tb"
    program = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n"
    program += dump((0,)) + dump("b") + b"tR(" + dump(1) + dump((4,)) + kind + b"\x89"
    program += b"c_codecs\nencode\n" + dump((data.decode("latin1"), "latin1")) + b"Rtb."
    torch.save(0, path.with_name("plain.pth"))
    with zipfile.ZipFile(path.with_name("plain.pth")) as plain, zipfile.ZipFile(path, "w") as out:
        for name in plain.namelist():
            out.writestr(name, program if name.endswith("data.pkl") else plain.read(name))


def test_types_that_claim_to_hold_objects_are_refused(tmp_path):
    """numpy would take the bytes of such an array for addresses."""
    path = tmp_path / "a.pth"
    pickled(path, data=np.arange(4.0).tobytes())
    assert read_pickled(path).tolist() == [0, 1, 2, 3]
    pickled(path, flags=63)  # claims that are not believed
    assert not read_pickled(path).dtype.hasobject
    for odd in ({"code": "O"}, {"code": "V8"}, {"code": "f8,O"}, {"fields": "O", "flags": 1}):
        pickled(path, **odd)
        with pytest.raises(ValueError, match=r"a\.pth: refused, an array of '"):
            read_pickled(path)
    pickled(path, fields="f8")
    with pytest.raises(ValueError, match="refused, a type with fields"):
        read_pickled(path)
    pickled(path, data=b"A" * 31)
    with pytest.raises(ValueError, match="refused, an array of another length"):
        read_pickled(path)


def test_arrays_that_are_none_are_refused(tmp_path):
    path, coord = tmp_path / "a.pth", np.ones((4, 3))
    for change, message in (
        ({"coord": torch.tensor(3.0)}, r"coord has the shape \(\); expected \(N, 3\)"),
        ({"coord": np.ones((4, 4))}, r"coord has the shape \(4, 4\)"),
        ({"color": [[1, 2], [3]]}, "expected numbers under color"),
        ({"color": coord / 2}, "colors are 0 to 0.5; expected 0 to 255"),
        ({"color": coord * 300}, "expected 0 to 255"),
        ({"color": coord * np.nan}, "expected 0 to 255"),
        ({"coord": torch.ones(4, 3).bfloat16()}, "expected numbers under coord"),
        ({"semantic_gt20": np.zeros((4, 2))}, r"segment20 has the shape \(4, 2\); expected \(N,\)"),
        ({"semantic_gt20": np.full(4, np.nan)}, "segment20 holds NaN"),
    ):
        torch.save({"coord": coord, "color": coord * 9, **change}, path)
        with pytest.raises(ValueError, match=message) as error:
            read_dictionary(path)
        assert str(path) in str(error.value)
    gradient = torch.ones(4, 3, requires_grad=True)
    torch.save({"coord": gradient, "color": coord * 9}, path)
    assert read_dictionary(path)["coord"].tolist() == [[1] * 3] * 4


def test_values_out_of_range_are_refused(tmp_path):
    path, coord = tmp_path / "a.pth", np.zeros((4, 3))
    for stored, message in (
        ((coord, coord + 200, np.zeros(4)), "expected -1 to 1"),
        ((coord, coord, np.full(4, 33.0)), "expected 0 to 19"),
        ((coord, coord, np.zeros(3)), "differ in length"),
    ):
        torch.save(stored, path)
        with pytest.raises(ValueError, match=message):
            read_tuple(path)
    torch.save((coord, 0, np.array([255, -100, 3, 0])), path)  # no color; both kinds of none
    found = read_tuple(path)
    assert (
        found["segment20"].tolist() == [-1, -1, 3, 0] and found["color"].tolist() == [[128] * 3] * 4
    )


def test_superpoints_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "s.npz"
    np.savez(path, a=np.array([5, -1, 9, 5]))
    assert read_superpoints(path).tolist() == [0, -1, 1, 0]
    with pytest.raises(ValueError, match="has 4 ids, expected 5"):
        read_superpoints(path, 5)
    for other in ({"b": np.zeros(4)}, {"a": np.array([None, 1])}, {"a": np.array([0.5])}):
        np.savez(path, **other)
        with assert_error(ValueError, path, "'a'"):
            read_superpoints(path)
    with open(path, "wb") as file:  # a .npy of this name
        np.save(file, np.arange(4))
    with assert_error(ValueError, path):
        read_superpoints(path)


# --------------------------------------------------------------------- cameras and geometry


def test_where_intrinsics_come_from(tmp_path):
    folder = tmp_path / "scene0000_00"
    (folder / "intrinsic").mkdir(parents=True)
    nominal = find_cameras(folder, (24, 32))
    assert nominal.source == "nominal" and np.array_equal(nominal.depth, NOMINAL)
    np.savetxt(tmp_path / "intrinsics.txt", np.diag([30.0, 31, 1, 1]))
    assert find_cameras(folder, (24, 32)).depth_size == (24, 32)
    np.savetxt(folder / "intrinsic" / "intrinsic_depth.txt", np.diag([570.0, 571, 1, 1]))
    assert find_cameras(folder, (24, 32)).depth[1, 1] == 571
    (folder / "scene0000_00.txt").write_text(
        "fx_depth = 500\nfy_depth = 501\nmx_depth = 319\nmy_depth = 239\n"
        "depthWidth = 640\ndepthHeight = 480\n"
    )
    pair = find_cameras(folder, (24, 32))
    assert pair.depth[0, 0] == pair.color[0, 0] == 500 and pair.color_size == (480, 640)


def test_depth_of_pairs():
    coord = np.array([[0, 0, 2.0], [0, 0, 3.0], [0, 0, -1.0]])
    pairs = np.array([[1.0, 1, 0], [0, 0, 1], [3, 3, 2], [-1, -1, -1]])
    depth = depth_of_pairs(pairs, coord, np.eye(3), np.eye(4), (4, 4), (2, 2))
    assert depth.tolist() == [[2, 0], [0, 0]] or depth.tolist() == [[3, 0], [0, 0]]
    centered = depth_of_pairs(
        np.array([[0.0, 0, 1], [1, 1, 0], [2, 2, 1]]), coord, np.eye(3), np.eye(4), (6, 6), (2, 2)
    )
    assert centered.tolist() == [[2, 0], [0, 0]]  # column 1, row 1 is the middle of the 3 x 3
    assert not depth_of_pairs(-np.ones((1, 3)), coord, np.eye(3), np.eye(4), (4, 4), (2, 2)).any()
    with pytest.raises(ValueError, match="another cloud"):
        depth_of_pairs(np.array([[0.0, 0, 9]]), coord, np.eye(3), np.eye(4), (4, 4), (2, 2))


# -------------------------------------------------------------------- pseudo-labels and tool


def test_pseudo_labels_become_a_store(converted, tmp_path):
    scene = scene_of(converted["wsegpc"])
    truth = np.load(scene / "segment20.npy")
    np.savez(tmp_path / f"{NAME}.npz", pred_label=np.where(truth < 0, 255, truth).astype(np.uint8))
    table, scenes, store = SCANNET20, {NAME: scene}, tmp_path / "store"
    manifest = convert_pseudo_labels(tmp_path, store, table, scenes)
    LabelStore.load(store).check(table.names, [NAME])
    stored = LabelStore.load(store).read(NAME, len(truth), ("label", "confidence"))
    assert np.array_equal(stored["label"], truth) and (stored["confidence"] == 1).all()
    assert manifest["coverage"] == (truth >= 0).mean()
    assert manifest["quality"] == {"miou": {"3d": 1.0}}
    with pytest.raises(FileExistsError, match="holds these labels"):
        convert_pseudo_labels(tmp_path, store, table, scenes)
    for key, label, message in (
        ("pred_label", truth[:-1] % 20, "points; convert"),
        ("pred", truth % 20, "with --key"),
        ("pred_label", truth % 20 + 20, "expected 0 to 19"),
    ):
        np.savez(tmp_path / f"{NAME}.npz", **{key: label.astype(np.uint8)})
        with pytest.raises(ValueError, match=message):
            convert_pseudo_labels(tmp_path, tmp_path / "other", table, scenes)
    with pytest.raises(FileNotFoundError, match="1 of 1 scenes"):
        convert_pseudo_labels(tmp_path / "store", tmp_path / "o", table, {"x": scene})


def test_the_command_converts_and_goes_on(sources, tmp_path):
    root = tmp_path / "root"
    given = ["--raw", sources["wsegpc"], "--out", root, "--stride", 2, "--size", "48x36"]
    for line in ("2 done, 0 already finished, 0 failed", "0 done, 2 already finished"):
        result = wsegpc("prepare", "wsegpc", *given)
        assert result.exit_code == 0 and line in result.stdout
    assert set(read_scene_tags(root / "scene_tags.json")) == {NAME, "scene0003_00"}


def test_names_with_spaces_and_images_of_several_sizes(sources, tmp_path, converted):
    name, source = "Büro 1", shutil.copytree(sources["openscene"], tmp_path / "ein Ordner")
    points = source / "scannet_3d" / "train"
    (points / f"{NAME}_vh_clean_2.pth").rename(points / f"{name}.pth")
    images = source / "scannet_2d" / name
    (source / "scannet_2d" / NAME).rename(images)
    with Image.open(images / "color" / "2.jpg") as image:
        image.resize((40, 30)).save(images / "color" / "2.jpg")
    capture = found("openscene", source, tmp_path)
    manifest = convert(capture)
    assert capture.target.name == name and manifest["frames"]["bad"] == {}
    difference = color_difference(capture.target, 2, scene_of(converted["openscene"]), 2)
    assert difference.mean() < 15  # the same view, less sharp
