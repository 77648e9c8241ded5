"""The Point Cloud Library's .pcd files: text, binary and compressed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numba import njit

from .formats import CLOUD_FORMATS, PointCloud, from_columns

MAX_HEADER = 4096  # bytes
MAX_RATIO = 88  # of what a byte of LZF can stand for
KINDS = {"F": "f", "I": "i", "U": "u"}


@CLOUD_FORMATS.register(".pcd")
def read_pcd(path: Path) -> PointCloud:
    """Points of a .pcd, also with a packed color."""
    data = path.read_bytes()
    header, start = _header(data[:MAX_HEADER])
    counts = [int(c) for c in header.get("COUNT", ["1"] * len(header["FIELDS"]))]
    fields = [
        (f"{name}{i}" if name == "_" else name, f"<{KINDS[kind]}{size}", (count,))
        for i, (name, kind, size, count) in enumerate(
            zip(header["FIELDS"], header["TYPE"], header["SIZE"], counts, strict=True)
        )
    ]
    number, body = int(header["POINTS"][0]), memoryview(data)[start:]
    if not 0 <= number <= MAX_RATIO * len(body):
        raise ValueError(f"its header announces {number} points in {len(body)} bytes")
    read = {"ascii": _ascii, "binary": _binary, "binary_compressed": _compressed}
    storage = header["DATA"][0]
    if storage not in read:
        raise ValueError(f"DATA is {storage!r}; expected one of {', '.join(read)}")
    columns = read[storage](body, fields, number)
    return from_columns(_unpack_color({name: column[:, 0] for name, column in columns.items()}))


def _header(head):
    """{keyword: words} and where the points start."""
    header, start = {}, 0
    for line in head.splitlines(keepends=True):
        start += len(line)
        words = line.decode("latin-1").split()
        if words and not words[0].startswith("#"):
            header[words[0]] = words[1:]
        if words and words[0] == "DATA":
            break
    missing = {"FIELDS", "SIZE", "TYPE", "POINTS", "DATA"} - set(header)
    if missing:
        raise ValueError(f"its header lacks {min(missing)}")
    return header, start


def _ascii(body, fields, number):
    """A line per point. Packed colors are written as the float that their bits are, or as int."""
    width = sum(shape[0] for _, _, shape in fields)
    words = np.array(bytes(body).split(), dtype=object)
    if len(words) != number * width:
        raise ValueError(f"{len(words)} values for {number} points of {width}")
    words, columns, at = words.reshape(number, width), {}, 0
    for name, kind, (count,) in fields:
        part = words[:, at : at + count]
        columns[name] = part.astype(np.float64 if kind[1] == "f" else np.int64).astype(kind)
        at += count
    return columns


def _binary(body, fields, number):
    layout = np.dtype(fields)
    if len(body) < number * layout.itemsize:
        raise ValueError(f"it ends after {len(body) // layout.itemsize} of {number} points")
    points = np.frombuffer(body, layout, number)
    return {name: points[name].reshape(number, -1) for name, _, _ in fields}


def _compressed(body, fields, number):
    """LZF; all values of the first field, then all of the second, …"""
    packed, size = (int(value) for value in np.frombuffer(body, "<u4", 2))
    layout = np.dtype(fields)
    short = len(body) < 8 + packed or size > MAX_RATIO * packed
    if size != number * layout.itemsize or short:
        raise ValueError(f"{len(body) - 8} compressed bytes of {packed} for {number} points")
    plain = np.zeros(size, np.uint8)
    if decompress_lzf(np.frombuffer(body, np.uint8, packed, 8), plain) != size:
        raise ValueError("its compressed points are damaged")
    columns, at = {}, 0
    for name, kind, (count,) in fields:
        step = number * count * np.dtype(kind).itemsize
        columns[name] = plain[at : at + step].view(kind).reshape(number, count)
        at += step
    return columns


@njit(cache=True)
def decompress_lzf(packed: np.ndarray, plain: np.ndarray) -> int:
    """Decode Marc Lehmann's LZF, uint8 arrays; returns how many bytes were written, -1 if damaged.

    A control byte below 32 copies that many plus one bytes as they are. Others repeat earlier
    output: 3 bits of length (7: add the next byte), 13 bits of distance.
    """
    i, o = 0, 0
    while i < len(packed):
        control = np.int64(packed[i])
        i += 1
        if control < 32:
            length, source = control + 1, -1
        else:
            length = control >> 5
            if length == 7:
                length += np.int64(packed[i]) if i < len(packed) else 0
                i += 1
            if i >= len(packed):
                return -1
            source = o - ((control & 31) << 8) - np.int64(packed[i]) - 1
            i += 1
            length += 2
            if source < 0:
                return -1
        if o + length > len(plain) or (source < 0 and i + length > len(packed)):
            return -1
        for k in range(length):  # one by one: a repeat may overlap what it writes
            plain[o + k] = packed[i + k] if source < 0 else plain[source + k]
        i += length if source < 0 else 0
        o += length
    return o


def _unpack_color(columns):
    packed = columns.pop("rgb", columns.pop("rgba", None))
    if packed is not None:
        bits = np.ascontiguousarray(packed)
        bits = bits.view(np.uint32) if bits.dtype.itemsize == 4 else bits.astype(np.uint32)
        for shift, name in ((16, "red"), (8, "green"), (0, "blue")):
            columns[name] = (bits >> np.uint32(shift) & np.uint32(255)).astype(np.uint8)
    return columns
