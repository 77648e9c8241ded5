"""LabelStore: whatever lies in the folder, only what the store wrote is touched."""

import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.files import read_json, write_json

NAMES = ("wall", "floor", "bed")
SCENES = ["a", "08/000123", "09/000123"]
MADE = {"weights": "01ab", "region_vote": True}


def labels_of(scene):
    return np.arange(7) % (2 + len(scene)) % 4 - 1


def fill(store, scenes):
    for scene in scenes:
        label = labels_of(scene)
        store.write(scene, label, np.full(7, 0.5), metrics={"3d": np.eye(4, dtype=np.int64)})


def finished(path, scenes=SCENES, **made):
    store = LabelStore(path, NAMES, {**MADE, **made}).open(scenes)
    fill(store, scenes)
    store.finish()
    return store


def snapshot(root):
    """{path: content, or where a link leads} of everything below a folder."""
    return {
        str(path.relative_to(root)): os.readlink(path)
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in sorted(root.rglob("*"))
    }


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


# ------------------------------------------------------------------------------ round trip


def test_round_trip_of_scenes_with_one_base_name(tmp_path):
    finished(tmp_path / "store")
    store = LabelStore.load(tmp_path / "store")
    store.check(NAMES, SCENES)
    for scene in SCENES:
        arrays = store.read(scene, 7, ("label", "confidence", "region"))
        assert arrays.keys() == {"label", "confidence"}
        assert arrays["label"].dtype == np.int16 and (arrays["label"] == labels_of(scene)).all()
        assert arrays["confidence"].dtype == np.float16 and (arrays["confidence"] == 0.5).all()
        assert (store.metrics(scene)["3d"] == np.eye(4)).all()
    labeled = sum((labels_of(scene) >= 0).sum() for scene in SCENES)
    assert store.manifest["points"] == 21 and store.manifest["coverage"] == labeled / 21
    assert store.manifest["provenance"] == MADE and store.manifest["names"] == list(NAMES)


def test_round_trip_of_what_the_vote_saw(tmp_path):
    store = LabelStore(tmp_path, NAMES, MADE).open(["a"])
    voted = {
        "region": np.array([1, -1, 1, 0, -1]),
        "region_probs": np.array([[0.25, 0.5, 0.25], [1, 0, 0], [0, 0, 0]]),
        "point_probs": np.array([[0, 0.125, 0.875], [0.5, 0.5, 0]]),
    }
    store.write("a", [0, 2, 0, 1, 0], np.ones(5), **voted)
    found = store.read("a", 5, voted)
    assert [found[key].dtype for key in voted] == [np.int32, np.float16, np.float16]
    assert all((found[key] == voted[key]).all() for key in voted)
    for change in (
        {"region": voted["region"][1:]},
        {"region": voted["region"] + 2},
        {"region_probs": voted["region_probs"][:1]},
        {"region_probs": voted["region_probs"][:, :2]},
        {"point_probs": voted["point_probs"][:1]},
        {"point_probs": None},
    ):
        with pytest.raises(ValueError, match="scene a: "):
            store.write("a", [0, 2, 0, 1, 0], np.ones(5), **{**voted, **change})
    with pytest.raises(ValueError, match="to 2, got"):
        store.write("a", [0, 3], np.ones(2))
    with pytest.raises(ValueError, match="not among those"):
        store.write("b", [0], np.ones(1))


def test_what_does_not_fit_a_training(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no store\.json"):
        LabelStore.load(tmp_path)
    store = LabelStore(tmp_path, NAMES, MADE).open(["a", "b"])
    fill(store, ["a"])
    with pytest.raises(ValueError, match="not finished"):
        LabelStore.load(tmp_path).check(NAMES, ["a"])
    with pytest.raises(FileNotFoundError, match=r"1 of 2 scenes have no pseudo-label .*b first"):
        store.finish()
    fill(store, ["b"])
    store.finish()
    LabelStore(tmp_path, NAMES, {}).open(["b"], replace=True)
    with pytest.raises(ValueError, match="has become another store"):
        store.finish()
    fill(LabelStore.load(tmp_path), ["b"])
    LabelStore(tmp_path, NAMES, MADE).open(["a"], replace=True)
    store = LabelStore.load(tmp_path)
    fill(store, ["a"])
    store.finish()
    with pytest.raises(ValueError, match=r"classes \['wall', 'floor', 'bed'\], expected \['wall'"):
        store.check(["wall"])
    with pytest.raises(FileNotFoundError, match=r"1 of 2 scenes have no pseudo-label .*c first"):
        store.check(NAMES, ["a", "c"])
    with pytest.raises(ValueError, match=r"scene a: expected 8 pseudo-labels, found 7"):
        store.read("a", 8)
    np.savez(tmp_path / "a.npz", label=np.zeros(7), confidence=np.ones(7))
    with pytest.raises(ValueError, match="not of this store"):
        store.read("a", 7)


# -------------------------------------------------------------------------- resume, replace


@pytest.mark.parametrize("killed_at", range(6))
def test_a_kill_between_any_two_writes_is_resumed(tmp_path, monkeypatch, killed_at):
    """Of the six files of arrays (metrics and labels by turns), number `killed_at` is cut short."""
    save, calls = np.savez_compressed, []

    def killed(file, **arrays):
        calls.append(file.name)
        if len(calls) > killed_at:
            shutil.copy(file.name, f"{file.name[:-12]}abcdefgh.npz")  # as SIGKILL leaves it
            raise KeyboardInterrupt
        save(file, **arrays)

    monkeypatch.setattr(np, "savez_compressed", killed)
    with pytest.raises(KeyboardInterrupt):
        finished(tmp_path)
    monkeypatch.undo()
    store = LabelStore(tmp_path, NAMES, MADE).open(SCENES)
    assert [store.has(scene) for scene in SCENES] == [killed_at // 2 > i for i in range(3)]
    fill(store, [scene for scene in SCENES if not store.has(scene)])
    store.finish()
    LabelStore.load(tmp_path).check(NAMES, SCENES)


def test_resuming_a_finished_store_changes_nothing(tmp_path):
    finished(tmp_path)
    before = snapshot(tmp_path)
    store = LabelStore(tmp_path, NAMES, MADE).open(SCENES, log=pytest.fail)
    assert all(map(store.has, SCENES)) and snapshot(tmp_path) == before
    (tmp_path / "metrics/a.npz").unlink()
    assert [store.has(scene) for scene in SCENES] == [False, True, True]


def test_further_scenes_join_those_that_are_there(tmp_path):
    finished(tmp_path, ["a", "08/000123"])
    store = LabelStore(tmp_path, NAMES, MADE).open(["b"])
    assert not LabelStore.load(tmp_path).manifest["finished"]
    fill(store, ["b"])
    assert set(store.finish()["scenes"]) == {"a", "b", "08/000123"}


def test_several_writers_of_one_store(tmp_path):
    first = LabelStore(tmp_path, NAMES, MADE).open(SCENES)
    others = [LabelStore.load(tmp_path) for _ in SCENES[1:]]
    for store, scene in zip([first, *others], SCENES, strict=True):
        fill(store, [scene])
    assert all(map(first.has, SCENES)) and first.finish()["points"] == 21


def test_another_provenance_is_named_and_replaced_only_on_demand(tmp_path):
    finished(tmp_path)
    before = snapshot(tmp_path)
    other = {"weights": "99ff", "region_vote": True, "round": 2}
    with pytest.raises(ValueError) as error:
        LabelStore(tmp_path, NAMES, other).open(["a"])
    assert "weights '01ab', now '99ff', round None, now 2" in one_line(error)
    assert "region_vote" not in str(error.value) and snapshot(tmp_path) == before
    with pytest.raises(ValueError, match=r"names .*'bed'\], now \['wall'\]"):
        LabelStore(tmp_path, ["wall"], MADE).open(["a"])
    lines = []
    store = LabelStore(tmp_path, NAMES, other).open(["a"], replace=True, log=lines.append)
    assert len(lines) == 1 and "removing 6 files" in lines[0] and "now '99ff'" in lines[0]
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {"store.json"}
    fill(store, ["a"])
    assert store.finish()["provenance"] == other


# ------------------------------------------------------------------------- foreign content


def operate(path, scenes=SCENES, then=lambda: None):
    """Everything that writes; each may refuse, in one line."""
    for made, replace in ((MADE, False), ({"weights": "other"}, True)):
        try:
            store = LabelStore(path, NAMES, made).open(scenes, replace=replace, log=len)
            then()
            fill(store, scenes)
            store.finish()
        except (ValueError, OSError) as error:
            assert "\n" not in str(error)


FOREIGN = st.dictionaries(
    st.sampled_from(
        ["b.npz", "a.npz", "A.npz", "08/000123.npz", "08/x.npz", "metrics/a.npz", "notes.txt",
         "store.json", "run.json", "sub/store.json", ".hidden", ".a.npz.abcdefgh.npz",
         "metrics", "08", "coord.npy", "scene_tags.json"]
    ),
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from([b"{}", b"[]", b'{"format": "label store 1"}', b'{"weights": "x"}']),
        st.sampled_from(["arrays", "of another store"]),
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


def put(root, foreign):
    """Write {path: bytes, or a kind of .npz}; returns what was written."""
    written = {}
    for name, content in foreign.items():
        path = root / name
        if path.exists() or any(p.is_file() for p in path.parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            owner = {"store": "0" * 32, "scene": "a"} if content == "of another store" else {}
            with open(path, "wb") as file:
                np.savez(file, label=np.arange(3), **owner)
        written[name] = path.read_bytes()
    return written


@settings(max_examples=60, deadline=None)
@given(foreign=FOREIGN, when=st.sampled_from(["before", "opened", "finished"]))
def test_foreign_content_survives_whatever_is_done(tmp_path_factory, foreign, when):
    root = tmp_path_factory.mktemp("foreign") / "store"
    written = {}
    if when == "before":
        written = put(root, foreign)
    if when == "finished":
        finished(root, ["08/000123"])
        written = put(root, foreign)
    operate(root, then=lambda: when == "opened" and written.update(put(root, foreign)))
    for name, content in written.items():
        assert (root / name).read_bytes() == content, name


@pytest.mark.parametrize("scene", ["a", "08/000123"])
def test_arrays_at_the_place_of_a_scene_are_not_overwritten(tmp_path, scene):
    store = LabelStore(tmp_path, NAMES, MADE).open(SCENES)
    path = tmp_path / f"{scene}.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez(path, label=np.arange(3))
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="not of this label store"):
        fill(store, [scene])
    with pytest.raises(FileExistsError, match="did not write"):
        LabelStore(tmp_path, NAMES, {}).open(SCENES, replace=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("link", ["folder", "scene", "subfolder", "manifest"])
def test_links_are_never_followed(tmp_path, link):
    other, store = tmp_path / "other", tmp_path / "store"
    finished(other)
    if link == "folder":
        store.symlink_to(other)
    else:
        name = {"scene": "a.npz", "subfolder": "08", "manifest": "store.json"}[link]
        shutil.copytree(other, store)
        shutil.rmtree(store / name) if link == "subfolder" else (store / name).unlink()
        (store / name).symlink_to(other / name)
    before = snapshot(tmp_path)
    operate(store)
    with pytest.raises(OSError, match="symbolic link" if link == "folder" else "did not write"):
        LabelStore(store, NAMES, {}).open(SCENES, replace=True)
    assert snapshot(tmp_path) == before


def test_a_link_that_appears_after_opening(tmp_path):
    store, other = LabelStore(tmp_path / "store", NAMES, MADE).open(SCENES), tmp_path / "other"
    other.mkdir()
    (tmp_path / "store/08").symlink_to(other)
    with pytest.raises(FileExistsError, match="not of this label store"):
        fill(store, ["08/000123"])
    assert list(other.iterdir()) == []


def test_a_file_an_old_store_and_a_data_root(tmp_path, prepared_root):
    file = tmp_path / "file"
    file.write_text("text")
    old, killed = tmp_path / "old", tmp_path / "killed"
    for folder, name, content in (
        (old, "manifest.json", {"names": ["wall"], "weights": "x"}),
        (killed, "run.json", {"weights": "x"}),
    ):
        write_json(folder / name, content)
        np.savez(folder / "a.npz", label=np.arange(3))
    before, of_data = snapshot(tmp_path), snapshot(prepared_root)
    for path, kind, told in (
        (file, NotADirectoryError, "is no folder"),
        (old, ValueError, f"`wsegpc upgrade {old}`"),
        (killed, ValueError, f"`wsegpc upgrade {killed}`"),
        (prepared_root, FileExistsError, "did not write"),
        (prepared_root / "train", FileExistsError, "did not write"),
        (prepared_root / "train/scene0000_00", FileExistsError, "did not write"),
    ):
        operate(path)
        with pytest.raises(kind) as error:
            LabelStore(path, NAMES, MADE).open(SCENES, replace=True)
        assert told in one_line(error)
    with pytest.raises(ValueError, match="wsegpc upgrade"):
        LabelStore.load(old)
    assert snapshot(tmp_path) == before and snapshot(prepared_root) == of_data


# -------------------------------------------------------------------------------- hostile keys

HOSTILE = [
    "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "\\a", "a\\..\\b", "C:a",
    "C:/a", "a\0b", "a\nb", " ", "a/ /b", ".git/a", "metrics/a", "Metrics/a", "store.json/a",
    "\ud800", None, 3,
]  # fmt: skip


@pytest.mark.parametrize("key", HOSTILE, ids=repr)
def test_hostile_keys_are_refused_before_anything_is_written(tmp_path, key):
    store = LabelStore(tmp_path / "store", NAMES, MADE)
    with pytest.raises(ValueError, match="no scene key"):
        store.open(["a", key])
    assert not (tmp_path / "store").exists()
    store.open(["a"])
    with pytest.raises(ValueError):
        store.write(key, [0], [1])


@given(st.text(alphabet="ab./\\:\0 \n~", max_size=8))
def test_a_key_that_is_taken_stays_inside(tmp_path_factory, key):
    store = LabelStore("/nowhere/store", NAMES, MADE)
    try:
        path = store._file(key)
    except ValueError:
        return
    assert os.path.normpath(path) == str(path) and path.is_relative_to(store.path)
    assert "\\" not in key and ":" not in key


@pytest.mark.parametrize("keys", [["a", "a"], ["a", "A"], ["a", "a.npz/b"]])
def test_keys_that_cannot_stand_side_by_side(tmp_path, keys):
    with pytest.raises(ValueError, match="scene key"):
        LabelStore(tmp_path, NAMES, MADE).open(keys)


@pytest.mark.parametrize("key", ["../outside", "{out}", "08/../../outside", "/etc/hosts"])
def test_keys_of_a_manifest_are_checked_again(tmp_path, key):
    """A manifest that somebody edited leads nowhere outside of the store."""
    path = tmp_path / "store"
    finished(path)
    made = read_json(path / "store.json")
    shutil.copy(path / "a.npz", tmp_path / "outside.npz")  # it even names the store
    made["scenes"].append(key.format(out=tmp_path / "outside"))
    (path / "store.json").write_text(json.dumps(made))
    before = snapshot(tmp_path)
    with pytest.raises(ValueError, match=r"not of a label store: .* is no scene key"):
        LabelStore(path, NAMES, {}).open(SCENES, replace=True)
    with pytest.raises(ValueError, match="is no scene key"):
        LabelStore.load(path)
    assert snapshot(tmp_path) == before
