"""Regions from the files of other programs: every layout, and one line for every wrong file."""

import json
import os
import re

import numpy as np
import pytest
import torch

from pointcept_wsegpc.regions import partition, partition_view
from pointcept_wsegpc.regions.files import read_regions

IDS = np.array([40, 7, -1, 7, 2**40, 40, -5, 9])
REGION = [2, 0, -1, 0, 3, 2, -1, 1]  # the same from 0, in the order of the ids
N = len(IDS)

# WyPR's program: the points of a region per line, an empty line, the points of no region.
MEMBERS = "1 3 \n7 \n0 5 \n4 \n\n2 6 "
OF_MEMBERS = [2, 0, -1, 0, 3, 2, -1, 1]


def save_segs(path):
    content = {"params": {"kThresh": "0.01"}, "sceneId": "scene0000_00", "segIndices": IDS.tolist()}
    path.write_text(json.dumps(content))


def old_numpy(array, path):
    """As torch.save wrote an array in the days of numpy 1, in its older format."""
    torch.save(array, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"numpy.core.multiarray" in data
    path.write_bytes(data)


WRITERS = {
    "scene0000_00_vh_clean_2.0.010000.segs.json": save_segs,
    "lines.txt": lambda path: path.write_text("\n".join(map(str, IDS)) + "\n"),
    "windows.txt": lambda path: path.write_bytes("\r\n".join(map(str, IDS)).encode("utf-8-sig")),
    "savetxt.txt": lambda path: np.savetxt(path, IDS),
    "members.txt": lambda path: path.write_text(MEMBERS),
    "tensor.pth": lambda path: torch.save(torch.from_numpy(IDS), path),
    "floats.pt": lambda path: torch.save(torch.from_numpy(IDS).double(), path),
    "numpy.pth": lambda path: torch.save(IDS, path),
    "old_numpy.pth": lambda path: old_numpy(IDS, path),
    "list.pth": lambda path: torch.save(IDS.tolist(), path),
    "dict.pth": lambda path: torch.save({"coord": torch.zeros(N, 3), "superpoint": IDS}, path),
    "one_key.pth": lambda path: torch.save({"any name": torch.from_numpy(IDS)}, path),
    "ids.npy": lambda path: np.save(path, IDS),
    "shape.npy": lambda path: np.save(path, IDS.astype(float)),
    "big_endian.NPY": lambda path: path.write_bytes(npy_bytes(IDS.astype(">i8"))),
    "one.npz": lambda path: np.savez(path, IDS),
    "usual.npz": lambda path: np.savez_compressed(path, coord=np.zeros((N, 3)), segments=IDS),
}


def npy_bytes(array):
    return b"".join(
        [b"\x93NUMPY\x01\x00", len(header := npy_header(array)).to_bytes(2, "little"), header]
    ) + array.tobytes()  # fmt: skip


def npy_header(array):
    entries = f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': {array.shape}}}"
    return (entries.ljust(117) + "\n").encode()


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout(name, tmp_path):
    WRITERS[name](tmp_path / name)
    region = read_regions(str(tmp_path / name), N)
    assert region.dtype == np.int32
    assert region.tolist() == (OF_MEMBERS if name == "members.txt" else REGION)


@pytest.mark.parametrize(
    "text, region",
    [
        ("0 1 2 \n\n", [0, 0, 0]),  # none unassigned
        ("\n0 1 2 ", [-1, -1, -1]),  # all
        ("2 \n0 1 \n\n", [1, 1, 0]),
    ],
)
def test_members_at_the_limits(text, region, tmp_path):
    path = tmp_path / "members.txt"
    path.write_text(text)
    assert read_regions(path, 3).tolist() == region


def test_a_key_chooses(tmp_path):
    other = IDS[::-1].copy()
    np.savez(tmp_path / "two.npz", fine=IDS, coarse=other, sp=np.zeros(N, int))
    torch.save({"fine": torch.from_numpy(IDS), 5: other}, tmp_path / "two.pth")
    torch.save((np.zeros((N, 3), np.float32), torch.zeros(N, 3), IDS), tmp_path / "tuple.pth")
    assert read_regions(tmp_path / "two.npz", N, key="fine").tolist() == REGION
    assert read_regions(tmp_path / "two.npz", N, key="coarse").tolist() == REGION[::-1]
    assert read_regions(tmp_path / "two.npz", N).tolist() == [0] * N  # the usual name
    assert read_regions(tmp_path / "two.pth", N, key="5").tolist() == REGION[::-1]
    assert read_regions(tmp_path / "tuple.pth", N, key=2).tolist() == REGION
    with pytest.raises(ValueError, match=r"no 'x'; choose .* by their key, of: fine, coarse, sp"):
        read_regions(tmp_path / "two.npz", N, key="x")
    with pytest.raises(ValueError, match=r"several things; choose .* by their key, of: fine, 5"):
        read_regions(tmp_path / "two.pth", N)
    with pytest.raises(ValueError, match="of: 0, 1, 2"):
        read_regions(tmp_path / "tuple.pth", N)
    np.savez(tmp_path / "mixed.npz", names=np.array(["a", None], object), ids=IDS)
    assert read_regions(tmp_path / "mixed.npz", N, key="ids").tolist() == REGION
    np.savez(tmp_path / "usual.npz", superpoint=IDS, segments=IDS, coord=IDS)
    with pytest.raises(ValueError, match="several things"):
        read_regions(tmp_path / "usual.npz", N)
    np.save(tmp_path / "ids.npy", IDS)
    with pytest.raises(ValueError, match="one array without a name; leave out the key 'sp'"):
        read_regions(tmp_path / "ids.npy", N, key="sp")


# --- wrong files ------------------------------------------------------------------------------


class Evil:
    """Unpickles by calling a function."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"superpoint": IDS, "note": x}])
def test_a_malicious_pickle_is_refused(wrap, new_format, tmp_path):
    victim = tmp_path / "made by the file"
    path = tmp_path / "evil.pth"
    torch.save(wrap(Evil(victim)), path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(ValueError, match=r"evil\.pth.*mkdir"):
        read_regions(path, N)
    assert not victim.exists()
    torch.load(path, weights_only=False)
    assert victim.is_dir()  # it would have worked


@pytest.mark.parametrize("name", ["evil.npy", "evil.npz"])
def test_object_arrays_are_refused(name, tmp_path):
    victim = tmp_path / "made by the file"
    array = np.array([Evil(victim)] * N, dtype=object)
    (np.save if name.endswith("npy") else np.savez)(tmp_path / name, array, allow_pickle=True)
    with pytest.raises(ValueError, match=f"{re.escape(name)} cannot be read"):
        read_regions(tmp_path / name, N)
    assert not victim.exists()


@pytest.mark.parametrize("name", WRITERS)
def test_wrong_length(name, tmp_path):
    WRITERS[name](tmp_path / name)
    for points in (N - 1, N + 1):
        with pytest.raises(ValueError, match=f"{re.escape(name)} (holds|names) .* {points} points"):
            read_regions(tmp_path / name, points)


@pytest.mark.parametrize("name", WRITERS)
def test_cut_off(name, tmp_path):
    """Half of a file is refused, also where the half is well-formed."""
    WRITERS[name](tmp_path / name)
    data = (tmp_path / name).read_bytes()
    for part in (data[: len(data) // 2], data[:3], b"\x80\x02garbage" * 50):
        (tmp_path / name).write_bytes(part)
        with pytest.raises(ValueError, match=re.escape(name)):
            read_regions(tmp_path / name, N)


@pytest.mark.parametrize("name", WRITERS)
def test_empty(name, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=f"{re.escape(name)} is empty; expected {N} region ids"):
        read_regions(tmp_path / name, N)


def saved(content):
    return lambda path: (
        torch.save(content, path) if path.suffix == ".pth" else np.save(path, content)
    )


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.npy", saved(IDS.reshape(2, -1)), r"\(2, 4\)"),
        ("a.npy", saved(np.int64(4)), r"shape \(\)"),
        ("a.npy", saved(IDS + 0.5), "40.5 for point 0"),
        ("a.npy", saved(np.where(IDS < 0, np.nan, IDS)), "nan for point 2"),
        ("a.npy", saved(np.where(IDS > 50, np.inf, IDS)), "inf for point 4"),
        ("a.npy", saved(IDS > 0), "bool"),
        ("a.npy", saved(IDS.astype(complex)), "complex128"),
        ("a.npy", saved(IDS.astype(str)), "<U"),
        ("a.pth", saved({}), "none"),
        ("a.pth", saved({"superpoint": "a name"}), "<U6"),
        ("a.pth", saved({"superpoint": None}), "NoneType"),
        ("a.pth", saved(torch.zeros(N, 3)), r"\(8, 3\)"),
        ("a.pth", saved(torch.zeros(N, dtype=torch.bfloat16)), "array of region ids"),
        ("a.pth", saved(torch.nn.Parameter(torch.full((N,), 0.5))), "0.5 for point 0"),
        ("a.segs.json", '{"sceneId": "a", "params": {}}', "sceneId, params"),
        ("a.segs.json", '{"segIndices": 5}', r"shape \(\)"),
        ("a.segs.json", '{"segIndices": [[1, 2], [3]]}', "array"),
        ("a.segs.json", '{"segIndices": ["a", "b"]}', "<U1"),
        ("a.segs.json", '{"segIndices": [1, null]}', "list"),
        ("a.segs.json", '{"segIndices": [1, 2', "JSON"),
        ("a.txt", "\n \n", "no region ids"),
        ("a.txt", "0\n1\n\n2\n", "line 3"),
        ("a.txt", "id\n0\n1\n", "'id'"),
        ("a.txt", "0\n1\nnan\n" + 5 * "0\n", "nan for point 2"),
        ("a.txt", "0\n1\n" + 1000 * "9", "numbers"),
        ("a.txt", "0 1\n\n2\n\n0 1\n\n2\n", "0 of 8 points once.*twice"),
        ("a.txt", "0 1\n\n", "2 of 8 points"),
        ("a.txt", "0 1\n8\n\n", "0 of 8 points"),
        ("a.txt", "0 1\n-1\n\n", "0 of 8 points"),
        ("a.txt", "0.5 1\n2\n\n", "0 of 8 points"),
    ],
)
def test_wrong_content(name, content, found, tmp_path):
    path = tmp_path / name
    path.write_text(content) if isinstance(content, str) else content(path)
    with pytest.raises(ValueError, match=rf"{re.escape(name)} .*{found}"):
        read_regions(path, N)


def test_errors_are_one_line_and_name_the_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.npy; .* ids of 8 points"):
        read_regions(tmp_path / "none.npy", N)
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(FileNotFoundError, match="no file"):
        read_regions(tmp_path / "folder.npy", N)
    (tmp_path / "ids.pkl").write_text("0")
    with pytest.raises(ValueError, match=r"ids\.pkl is of no known kind \(\.json, \.txt, .*np\."):
        read_regions(tmp_path / "ids.pkl", N)
    for name in ("a.pth", "a.npz", "a.npy", "a.json"):
        (tmp_path / name).write_bytes(b"first\nsecond\nthird")
        with pytest.raises(ValueError) as caught:
            read_regions(tmp_path / name, N)
        message = str(caught.value)
        assert str(tmp_path / name) in message and "\n" not in message
        assert "weights_only" not in message  # no advice to run the file


def test_a_file_is_a_method_of_partition(tmp_path):
    path = tmp_path / "sp.npy"
    coord = np.random.default_rng(0).normal(size=(6, 3))
    np.save(path, [7, 7, -1, 3, 9, 9])
    np.testing.assert_array_equal(partition(coord, method="file", path=path), [1, 1, -1, 0, 2, 2])
    coord[4], coord[3] = coord[5], np.nan  # one place; nowhere, so that region 3 has no point
    np.testing.assert_array_equal(partition(coord, method="file", path=path), [0, 0, -1, -1, 1, 1])
    with pytest.raises(ValueError, match="holds 6 region ids, the scene has 5 points"):
        partition(coord[:5], method="file", path=path)
    with pytest.raises(ValueError, match="holds regions of points"):
        partition_view(np.ones((4, 4)), np.eye(3), method="file", path=path)
