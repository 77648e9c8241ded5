"""Damage to small valid files, from a seed, and what no reader may make of it.

`python tests/fuzz_files.py COUNT [READER …]` prints a table over COUNT damaged files per reader.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import resource
import signal
import struct
import sys
import tempfile
import time
import warnings
from pathlib import Path
from unittest import mock

import numpy as np

SECONDS, BYTES = 5, 2**30  # that no damaged file may take
EXTREMES = [2**n - k for n in (0, 1, 8, 15, 16, 31, 32, 40, 63, 64) for k in (0, 1)]
NUMBERS = ["-1", "0", "1e400", "-3.4e38", "1e20", "nan", "inf", "x", "1,5"]
NUMBERS += [str(2**32), str(10**12), "9" * 20]
N = 30  # points, unless a file says otherwise


class Hang(BaseException):
    pass


# --------------------------------------------------------------------------------- damage


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """The content after one to three edits: of bytes, numbers, lengths and places."""
    for _ in range(rng.integers(1, 4)):
        edit = EDITS[rng.integers(len(EDITS))]
        content = edit(content, rng) if content else b"\0"
    return content


def _flip(content, rng):
    data = bytearray(content)
    for at in rng.integers(len(data), size=rng.integers(1, 5)):
        data[at] = rng.integers(256)
    return bytes(data)


def _cut(content, rng):
    return content[: rng.integers(len(content))]


def _take_out(content, rng):
    start = rng.integers(len(content))
    return content[:start] + content[start + rng.integers(1, 40) :]


def _repeat(content, rng):
    start = rng.integers(len(content))
    return content[:start] + content[max(0, start - rng.integers(1, 40)) :]


def _number(content, rng):
    """Another binary number, mostly in the header."""
    code = "<BHIQ"[rng.integers(1, 5)]
    size = struct.calcsize(f"<{code}")
    value = EXTREMES[rng.integers(len(EXTREMES))] % 256**size
    at = int(rng.integers(max(min(len(content), (400, 10**9)[rng.random() < 0.3]) - size, 1)))
    return content[:at] + struct.pack(f"<{code}", value) + content[at + size :]


def _word(content, rng):
    """Another word where a number was written in text, mostly in the header."""
    found = list(re.finditer(rb"-?\d[\d.e+-]*", content[: (600, 10**6)[rng.random() < 0.3]]))
    if not found:
        return _flip(content, rng)
    one = found[rng.integers(len(found))]
    word = NUMBERS[rng.integers(len(NUMBERS))].encode()
    return content[: one.start()] + word + content[one.end() :]


EDITS = (_flip, _flip, _cut, _take_out, _repeat, _number, _number, _word, _word)

# ---------------------------------------------------------------------------------- limits


@contextlib.contextmanager
def limited():
    """Raise Hang after SECONDS, and MemoryError for BYTES more than are in use."""

    def ring(*_):
        raise Hang

    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    handlers = {number: signal.signal(number, ring) for number in (signal.SIGPROF, signal.SIGALRM)}
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, before[1]))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of this process's work, however busy others are
    signal.setitimer(signal.ITIMER_REAL, 20 * SECONDS)
    try:
        yield
    finally:
        for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
            signal.setitimer(timer, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def surprise(read, path: Path) -> str | None:
    """What a reader does with a file that it may not do: anything but read it or name it."""
    name, memory = str(path), ("MemoryError", "allocate", "bad alloc", "not enough memory")
    try:
        with limited(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
    except Hang:
        return f"hang of more than {SECONDS} s"
    except (ValueError, OSError, EOFError) as error:
        if isinstance(error, EOFError) and type(error).__name__ != "SensTruncated":
            return f"EOFError: {error}"
        if any(word in str(error) for word in memory):
            return f"memory: {error}"
        if name not in str(error) or "\n" in str(error):
            return f"no name or several lines: {type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def fuzz(reader: str, count: int, folder: Path, seed: int = 0) -> dict:
    """{refused, read, surprises: [(number, what)]} of `count` damaged files of a reader."""
    read, contents = READERS[reader](folder)
    outcome = {"count": count, "surprises": [], "seconds": 0.0}
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        ending, content = contents[number % len(contents)]
        path = folder / f"damaged{ending}"
        path.write_bytes(damaged(content, rng))
        start = time.monotonic()
        found = surprise(read, path)
        outcome["seconds"] = max(outcome["seconds"], time.monotonic() - start)
        if found:
            outcome["surprises"].append((number, found))
    return outcome


# --------------------------------------------------------------------------------- readers

READERS = {}  # name -> function of a folder that returns (function of a path, [(ending, bytes)])


def reader(function):
    READERS[function.__name__] = function
    return function


def arrays():
    rng = np.random.default_rng(0)
    coord = rng.uniform(-3, 3, (N, 3)).astype(np.float32)
    return coord, rng.integers(0, 256, (N, 3)).astype(np.uint8)


def saved(save, *arguments, **more) -> bytes:
    buffer = io.BytesIO()
    save(buffer, *arguments, **more)
    return buffer.getvalue()


def written(folder, name, write) -> tuple[str, bytes]:
    path = folder / name
    write(path)
    return path.suffix, path.read_bytes()


@reader
def npy(folder):
    from pointcept_wsegpc.clouds.read import read_cloud

    coord, color = arrays()
    named = np.zeros(N, [(name, "<f4") for name in ("x", "y", "z", "red", "green", "blue")])
    files = [coord, np.concatenate([coord, color], axis=1), named]
    return read_cloud, [(".npy", saved(np.save, array)) for array in files]


@reader
def ply(folder):
    from plyfile import PlyData, PlyElement

    from pointcept_wsegpc.clouds.ply import count_vertices, read_mesh, write_ply
    from pointcept_wsegpc.clouds.read import read_cloud

    def read(path):
        error = None
        for one in (count_vertices, read_cloud, read_mesh):
            try:
                one(path)
            except (ValueError, OSError) as caught:
                assert str(path) in str(caught), caught
                error = caught
        if error:
            raise error

    coord, color = arrays()
    face = np.arange(N).reshape(-1, 3)
    files = [written(folder, "mesh.ply", lambda p: write_ply(p, coord, color, face, ["a", "b"]))]
    vertex = PlyData.read(str(folder / "mesh.ply"))["vertex"].data
    polygon = np.empty(3, [("vertex_indices", "O")])
    polygon["vertex_indices"] = [np.arange(4), np.arange(3), np.arange(5)]
    polygons = [PlyElement.describe(vertex, "vertex"), PlyElement.describe(polygon, "face")]
    for text, order in ((True, "="), (False, "<"), (False, ">")):
        data = PlyData(polygons, text=text, byte_order=order)
        files.append(written(folder, "polygons.ply", lambda p, data=data: data.write(str(p))))
    return read, files


@reader
def pcd(folder):
    from pointcept_wsegpc.clouds.read import read_cloud

    coord, color = arrays()
    packed = (color.astype(np.uint32) << [16, 8, 0]).sum(1).astype("<u4")
    header = (
        "VERSION 0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F U\nCOUNT 1 1 1 1\nWIDTH {n}\n"
        "HEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {n}\nDATA {data}\n"
    )
    rows = b"".join(b"%f %f %f %d\n" % (*coord[i], packed[i]) for i in range(N))
    points = np.rec.fromarrays([*coord.T, packed], formats="<f4,<f4,<f4,<u4")
    columns = b"".join([*(axis.tobytes() for axis in coord.T), packed.tobytes()])
    pieces = [columns[at : at + 32] for at in range(0, len(columns), 32)]
    lzf = b"".join(bytes([len(piece) - 1]) + piece for piece in pieces)
    compressed = struct.pack("<II", len(lzf), len(columns)) + lzf
    bodies = {"ascii": rows, "binary": points.tobytes(), "binary_compressed": compressed}
    return read_cloud, [
        (".pcd", header.format(n=N, data=data).encode() + body) for data, body in bodies.items()
    ]


def las_file(folder, name, version="1.2"):
    import laspy

    coord, color = arrays()
    las = laspy.create(point_format=2 if version == "1.2" else 7, file_version=version)
    las.header.scales = [1e-3] * 3
    las.x, las.y, las.z = coord.T
    las.red, las.green, las.blue = color.T.astype(np.uint16) * 257
    return written(folder, name, lambda path: las.write(path))


@reader
def las(folder):
    """As `las_in_child`, but all in this process, which is faster."""
    from pointcept_wsegpc.clouds.read import read_cloud

    def read(path):
        with mock.patch(
            "pointcept_wsegpc.files.las.read_in_child", lambda function, path, *_: function(path)
        ):
            read_cloud(path)

    return read, [las_file(folder, "a.las"), las_file(folder, "b.las", "1.4")]


@reader
def las_in_child(folder):
    from pointcept_wsegpc.clouds.read import read_cloud

    return read_cloud, [las_file(folder, "a.las"), las_file(folder, "b.laz")]


@reader
def sens(folder):
    from pointcept_wsegpc.captures.scannet.frames import SensFrames
    from pointcept_wsegpc.captures.scannet.sens import (
        SensHeader,
        SensReader,
        pack_frame,
        write_sens,
    )

    def read(path):
        list(SensFrames(path, 2, (12, 16)))
        with SensReader(path) as opened:
            for frame in opened:
                frame.color(), frame.depth()

    camera = np.diag([20.0, 20, 1, 1]).astype(np.float32)
    header = SensHeader(camera, camera, 24, 18, 16, 12, name="scanner")
    color = np.full((18, 24, 3), 99, np.uint8)
    depth = np.arange(12 * 16, dtype=np.uint16).reshape(12, 16) + 500
    frames = [pack_frame(header, i, np.eye(4), color, depth) for i in range(4)]
    return read, [written(folder, "a.sens", lambda path: write_sens(path, header, frames))]


@reader
def annotations(folder):
    """Of a mesh: over-segments, objects, and the table of labels; each damaged in turn."""
    from pointcept_wsegpc.captures.scannet.labels import LabelMap, read_point_labels

    whole = {
        ".segs.json": {"params": {"k": "0.01"}, "segIndices": [i // 5 for i in range(N)]},
        ".aggregation.json": {
            "segGroups": [
                {"id": i, "objectId": i, "segments": [i, i + 3], "label": name}
                for i, name in enumerate(("chair", "wall", "floor"))
            ]
        },
    }
    contents = [(ending, json.dumps(content).encode()) for ending, content in whole.items()]
    rows = "id\traw_category\tnyu40id\n1\tchair\t5\n2\twall\t1\n3\tfloor\t2\n"
    contents.append((".tsv", rows.encode()))
    for ending, content in contents:
        (folder / f"whole{ending}").write_bytes(content)

    def read(path):
        files = [
            path if path.name.endswith(ending) else folder / f"whole{ending}"
            for ending, _ in contents
        ]
        read_point_labels(*files[:2], N, LabelMap.read(files[2]))

    return read, contents


def torch_save(value, new):
    import torch

    return saved(lambda file: torch.save(value, file, _use_new_zipfile_serialization=new))


@reader
def regions(folder):
    import torch

    from pointcept_wsegpc.regions.files import read_regions

    ids = np.arange(N) // 4 - 1
    kept = {"superpoint": torch.from_numpy(ids), "coord": torch.zeros(N, 3)}
    files = [(".pth", torch_save(value, new)) for value in (kept, ids) for new in (True, False)]
    files += [(".npy", saved(np.save, ids)), (".npz", saved(np.savez_compressed, superpoint=ids))]
    files += [(".json", json.dumps({"segIndices": ids.tolist()}).encode())]
    files += [(".txt", "\n".join(map(str, ids)).encode()), (".txt", b"0 1 2\n4 3\n\n5 6 7")]
    sizes = {b"0 1 2\n4 3\n\n5 6 7": 8}
    assert all(len(read_regions(_put(folder, *f), sizes.get(f[1], N))) for f in files)
    return lambda path: read_regions(path, N), files


@reader
def s3dis(folder):
    from pointcept_wsegpc.captures.s3dis.points import read_object

    coord, color = arrays()
    rows = b"".join(b"%.3f %.3f %.3f %d %d %d\n" % (*coord[i], *color[i]) for i in range(N))
    return read_object, [(".txt", rows)]


@reader
def superpoints(folder):
    from pointcept_wsegpc.captures.converted.arrays import read_superpoints

    ids = np.arange(N) // 4 - 1
    files = [(".npz", saved(np.savez_compressed, a=ids)), (".npz", saved(np.savez, a=ids * 1.0))]
    return lambda path: read_superpoints(path, N), files


@reader
def converted(folder):
    """The dictionaries and tuples of other projects."""
    import torch

    from pointcept_wsegpc.captures.converted.arrays import read_dictionary, read_tuple

    coord, color = arrays()
    dictionary = {"coord": coord, "color": color.astype(np.float32), "semantic_gt20": np.ones(N)}
    dictionary["normal"] = coord
    triple = (coord, color / 127.5 - 1, np.zeros(N))
    tensors = tuple(torch.from_numpy(np.asarray(array)) for array in triple)

    def read(path):
        (read_tuple if ".tuple" in path.name else read_dictionary)(path)

    return read, [
        (f".{kind}.pth", torch_save(value, new))
        for kind, value in (("dict", dictionary), ("tuple", triple), ("tuple", tensors))
        for new in (True, False)
    ]


def _put(folder, ending, content):
    path = folder / f"whole{ending}"
    path.write_bytes(content)
    return path


def main(count, *names):
    logging.disable()
    print("| reader | damaged files | surprises | slowest, s |\n|---|---|---|---|")
    for name in names or READERS:
        with tempfile.TemporaryDirectory() as folder:
            outcome = fuzz(name, int(count), Path(folder))
        found = outcome["surprises"]
        print(f"| {name} | {count} | {len(found)} | {outcome['seconds']:.1f} |", flush=True)
        for number, what in found[:10]:
            print(f"    {number}: {what:.300}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
