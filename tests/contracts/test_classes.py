"""Class tables: names, synonyms, roles, colors, ignored ids; the file in the data root."""

import json
import pickle

import numpy as np
import pytest

from pointcept_wsegpc.contracts.classes import (
    CLASSES_FILE,
    IGNORE,
    ClassTable,
    given_table,
    shipped_names,
)
from pointcept_wsegpc.contracts.tags import (
    read_scene_tags,
    read_view_tags,
    write_scene_tags,
    write_view_tags,
)

TABLE = ClassTable(
    ["wall", "floor", "Tür", "sofa"],
    label_file="labels",
    ignore=[255, 7],
    colors=[[0, 0, 0], [255, 255, 255], [1, 2, 3], [4, 5, 6]],
    roles={"ground": ["floor"], "wall": ["WALL", "door"]},
    synonyms={"sofa": ["couch", "settee"], "Tür": ["door"]},
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("wall", 0), ("  FLOOR", 1), ("tu\u0308r", 2), ("Door", 2), ("Settee", 3), ("sofa", 3)],
)
def test_names_match_in_any_case_and_form_and_by_synonym(name, expected):
    assert TABLE.index(name) == expected
    assert TABLE.resolve(name) == TABLE.find(name) == TABLE.names[expected]


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="'flor' is no class; did you mean 'floor'"):
        TABLE.resolve("flor")
    with pytest.raises(ValueError, match="did you mean 'sofa'"):  # nearest is a synonym of it
        TABLE.index("setee")
    with pytest.raises(ValueError, match="the class table has wall, floor, Tür, sofa"):
        TABLE.index("xyzzy")
    assert TABLE.find("flor") is None


def test_roles_are_given_or_follow_from_the_names():
    assert (
        TABLE.role("wall") == (0, 2) and TABLE.role("ground") == (1,) and not TABLE.role("ceiling")
    )
    plain = ClassTable(["lamp", "Wall", "ceiling", "floor"])
    assert [plain.role(role) for role in ("ground", "wall", "ceiling")] == [(3,), (1,), (2,)]
    assert ClassTable(["wall"], roles={}).role("wall") == ()


def test_a_table_returns_from_its_file_and_from_another_process(tmp_path):
    assert TABLE.write(tmp_path) == TABLE
    assert ClassTable.read(tmp_path) == ClassTable.read(tmp_path / CLASSES_FILE) == TABLE
    assert pickle.loads(pickle.dumps(TABLE)).index("couch") == 3
    scene = tmp_path / "train" / "08" / "000123"
    scene.mkdir(parents=True)
    assert ClassTable.of_scene(scene) == TABLE


def test_another_table_in_the_data_root_is_refused_an_edited_one_stays(tmp_path):
    TABLE.write(tmp_path)
    path = tmp_path / CLASSES_FILE
    stored = json.loads(path.read_text())
    stored["synonyms"]["wall"] = ["Wand"]
    path.write_text(json.dumps(stored))
    assert TABLE.write(tmp_path).index("wand") == 0  # somebody's own synonym is kept
    for other in (
        ClassTable([*TABLE.names, "bed"], "labels", TABLE.ignore),
        ClassTable(["floor", *TABLE.names[:1], *TABLE.names[2:]], "labels", TABLE.ignore),
        ClassTable(TABLE.names, "segment", TABLE.ignore),
        ClassTable(TABLE.names, "labels"),
    ):
        with pytest.raises(ValueError, match=r"another class table .* choose another data root"):
            other.write(tmp_path)
    assert json.loads(path.read_text()) == stored
    assert other.write(tmp_path, replace=True) == ClassTable.read(tmp_path) == other


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": []}, "no names"),
        ({"names": "wall"}, "list of texts"),
        ({"names": ["wall", 3]}, "got 3"),
        ({"names": ["wall", " bed"]}, "outer spaces"),
        ({"names": ["wall", "Wall"]}, "two classes"),
        ({"names": ["shower  curtain", "shower curtain"]}, "two classes"),
        ({"label_file": "segment.npy"}, "no path"),
        ({"label_file": "../segment"}, "no path"),
        ({"ignore": [1]}, "the id of a class"),
        ({"ignore": 255}, "label ids"),
        ({"ignore": ["255"]}, "label ids"),
        ({"colors": [[0, 0, 0]]}, "2 times"),
        ({"colors": [[0, 0, 0], [0, 0]]}, "2 times"),
        ({"colors": [[0, 0, 256], [0, 0, 0]]}, "0 to 255"),
        ({"colors": [[0, 0, 0.5], [0, 0, 0]]}, "0 to 255"),
        ({"roles": {"floor": ["bed"]}}, "role 'floor' is unknown"),
        ({"roles": {"ground": ["flor"]}}, "'flor' is no class"),
        ({"roles": {"ground": "wall"}}, "roles: expected"),
        ({"synonyms": {"chair": ["seat"]}}, "'chair', no class"),
        ({"synonyms": {"wall": ["Bed"]}}, "also means 'bed'"),
        ({"synonyms": {"wall": ["x"], "bed": ["X"]}}, "also means 'wall'"),
        ({"synonyms": ["x"]}, "synonyms: expected"),
        ({"colours": None}, "unknown key 'colours'"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(changes, message, tmp_path):
    (tmp_path / CLASSES_FILE).write_text(json.dumps({"names": ["wall", "bed"], **changes}))
    with pytest.raises(ValueError, match=message) as error:
        ClassTable.read(tmp_path)
    assert CLASSES_FILE in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["{", "[1]", "{}"])
def test_a_file_that_is_no_table(text, tmp_path):
    (tmp_path / CLASSES_FILE).write_text(text)
    with pytest.raises(ValueError, match=CLASSES_FILE):
        ClassTable.read(tmp_path)


def test_a_data_root_without_a_table(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`wsegpc upgrade .*` adds it"):
        ClassTable.read(tmp_path)


def test_labels_are_cleaned_by_the_table():
    label = TABLE.clean(np.array([[0, 3, 255], [7, -1, 2]], np.int16), "a.npy")
    assert label.dtype == np.int64 and label.tolist() == [[0, 3, IGNORE], [IGNORE, IGNORE, 2]]
    assert TABLE.clean(np.array([255, 3], np.uint8), "a.npy").tolist() == [IGNORE, 3]
    assert TABLE.clean(np.zeros(0), "a.npy").shape == (0,)
    for wrong in (4, -100, 65535):
        with pytest.raises(ValueError, match=r"a\.npy holds labels .* expected 0 to 3"):
            TABLE.clean(np.array([wrong]), "a.npy")


def test_shipped_tables():
    sizes = {name: len(ClassTable.shipped(name)) for name in shipped_names()}
    assert sizes == {"nyu40": 40, "s3dis": 13, "scannet20": 20, "scannet200": 200}
    nyu40, scannet20 = ClassTable.shipped("nyu40"), ClassTable.shipped("scannet20")
    assert set(scannet20.names) <= set(nyu40.names) and scannet20.label_file == "segment20"
    assert scannet20.colors[0] == (174, 199, 232) and scannet20.resolve("Couch") == "sofa"
    assert all(ClassTable.shipped(name).role("ground") for name in shipped_names())
    with pytest.raises(ValueError, match="expected nyu40, s3dis"):
        ClassTable.shipped("kitti")


def test_tables_that_an_option_names(tmp_path):
    TABLE.write(tmp_path)
    (tmp_path / "mine.txt").write_text("# mine\nbed\nsofa\n")
    assert given_table("s3dis") == ClassTable.shipped("s3dis")
    assert given_table(str(tmp_path)) == given_table(str(tmp_path / CLASSES_FILE)) == TABLE
    assert given_table(str(tmp_path / "mine.txt")).names == ("bed", "sofa")
    assert given_table("bed, sofa").names == ("bed", "sofa")
    for wrong in ("bed", "bed,,sofa"):
        with pytest.raises(ValueError, match="expected names with commas"):
            given_table(wrong)


# ------------------------------------------------------------------------------------- tags


def test_tags_of_scenes_and_views_become_the_table_s_names(tmp_path):
    scenes, views = tmp_path / "scene_tags.json", tmp_path / "view_tags.json"
    write_scene_tags(scenes, {"a": ["Couch", "sofa", "WALL"], "b": []})
    assert read_scene_tags(scenes, TABLE) == {"a": ["sofa", "wall"], "b": []}
    assert read_scene_tags(scenes)["a"] == ["Couch", "sofa", "WALL"]
    assert read_view_tags(views, TABLE) == {}
    write_view_tags(views, {"08/000123": {20: ["Door"], 3: []}})
    assert read_view_tags(views, TABLE) == {"08/000123": {3: [], 20: ["Tür"]}}
    write_view_tags(views, {"a": {0: ["flor"]}})
    with pytest.raises(ValueError, match=r"view_tags\.json: scene a: .* did you mean 'floor'"):
        read_view_tags(views, TABLE)
    for wrong in (
        [1],
        {"a": ["wall"]},
        {"a": {"x": ["wall"]}},
        {"a": {"-1": []}},
        {"a": {"0": [1]}},
    ):
        views.write_text(json.dumps(wrong))
        with pytest.raises(ValueError, match=r"view_tags\.json: expected"):
            read_view_tags(views, TABLE)
