"""ScanNet's `.sens` format, version 4: a streaming reader and a writer.

Layout, little-endian: header, then per frame camera-to-world pose (4x4 float32), two uint64 time
stamps in microseconds, two uint64 payload sizes, color payload, depth payload; last the number of
IMU samples. Poses are camera-to-world with x right, y down, z forward, in meters; a lost pose is
-inf. Depth is uint16 z-depth, `depth_shift` units per meter, 0 = no measurement.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ...files.arrays import reading

VERSION = 4
MAX_SIDE = 2**16  # pixels
COLOR_RAW, COLOR_PNG, COLOR_JPEG = 0, 1, 2
DEPTH_RAW, DEPTH_ZLIB = 0, 1
_FRAME = struct.Struct("<64s4Q")
_SIZES = struct.Struct("<2i4IfQ")


class SensTruncated(EOFError):
    """The file ends before the frames that its header claims; `readable` frames are whole."""

    def __init__(self, path, readable: int, claimed: int):
        super().__init__(path, readable, claimed)  # plain arguments: it must survive pickling
        self.path, self.readable, self.claimed = path, readable, claimed

    def __str__(self) -> str:
        return (
            f"{self.path}: ends after {self.readable} whole frames, its header claims "
            f"{self.claimed}; download it again or go on with the readable ones"
        )


@dataclass
class SensHeader:
    """Everything before the frames. Matrices are (4, 4) float32, sizes are in pixels."""

    intrinsic_color: np.ndarray
    intrinsic_depth: np.ndarray
    color_width: int
    color_height: int
    depth_width: int
    depth_height: int
    name: str = "StructureSensor"
    extrinsic_color: np.ndarray = field(default_factory=lambda: np.eye(4, dtype=np.float32))
    extrinsic_depth: np.ndarray = field(default_factory=lambda: np.eye(4, dtype=np.float32))
    color_compression: int = COLOR_JPEG
    depth_compression: int = DEPTH_ZLIB
    depth_shift: float = 1000.0
    num_frames: int = 0


@dataclass
class Frame:
    """One frame, its images still packed; `color()` and `depth()` unpack them."""

    index: int
    camera_to_world: np.ndarray  # (4, 4) float32
    color_data: bytes
    depth_data: bytes
    header: SensHeader
    timestamp_color: int = 0
    timestamp_depth: int = 0
    path: Path | None = None

    def color(self) -> np.ndarray:
        """(H, W, 3) uint8."""
        shape = self.header.color_height, self.header.color_width, 3
        code = self.header.color_compression
        with self._unpacking("color"):
            if code == COLOR_RAW:
                return _shaped(self.color_data, np.uint8, shape)
            if code not in (COLOR_PNG, COLOR_JPEG):
                raise ValueError(f"compression {code}: expected 0 (raw), 1 (PNG) or 2 (JPEG)")
            image = Image.open(io.BytesIO(self.color_data))
            if image.size != (shape[1], shape[0]):  # before it is unpacked
                raise ValueError(f"an image of {image.size}, its header says {shape[1::-1]}")
            return np.asarray(image.convert("RGB"))

    def depth(self) -> np.ndarray:
        """(H, W) uint16."""
        shape = self.header.depth_height, self.header.depth_width
        code, data = self.header.depth_compression, self.depth_data
        with self._unpacking("depth"):
            if code not in (DEPTH_RAW, DEPTH_ZLIB):
                raise ValueError(f"compression {code}: expected 0 (raw) or 1 (zlib)")
            if code == DEPTH_ZLIB:
                data = zlib.decompressobj().decompress(data, 2 * math.prod(shape) + 1)
            return _shaped(data, "<u2", shape)

    @contextlib.contextmanager
    def _unpacking(self, kind):
        try:
            yield
        except Exception as error:  # damaged bytes can make a decoder raise anything
            place = f"{self.path}, " * bool(self.path)
            raise ValueError(
                f"{place}frame {self.index}: unreadable {kind} image ({error})"
            ) from error


def _shaped(data: bytes, dtype, shape) -> np.ndarray:
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if len(data) != expected:
        raise ValueError(f"{len(data)} bytes for an image of {shape}, expected {expected}")
    return np.frombuffer(data, dtype).reshape(shape)


class SensReader:
    """Reads a `.sens` file frame by frame; header fields are attributes (`reader.depth_width`).

        with SensReader(path) as reader:
            for frame in reader.frames(stride=20):
                frame.camera_to_world, frame.depth()

    Raises FileError for another version, a file that ends inside its header, and a header that
    announces more frames than the file has place for, and SensTruncated, after the last whole
    frame, where frames are missing.
    """

    def __init__(self, path):
        self.path = Path(path)
        with reading(path, "a .sens stream", "download it again"):
            self._file = open(self.path, "rb")  # noqa: SIM115, closed by close()
            try:
                self._size = os.fstat(self._file.fileno()).st_size
                self.header = self._read_header()
                self._first_frame = self._file.tell()
            except BaseException:
                self._file.close()
                raise

    def __getattr__(self, name: str):
        if name == "header":  # not read yet: no recursion
            raise AttributeError(name)
        return getattr(self.header, name)

    def __enter__(self) -> SensReader:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def frames(self, stride: int = 1) -> Iterator[Frame]:
        """Frames 0, stride, 2·stride, …; the payloads in between are skipped, not read."""
        if stride < 1:
            raise ValueError(f"stride {stride}: expected at least 1")
        position = self._first_frame
        for index in range(self.header.num_frames):
            self._file.seek(position)
            head = self._file.read(_FRAME.size)
            if len(head) < _FRAME.size:
                raise SensTruncated(self.path, index, self.header.num_frames)
            pose, time_color, time_depth, color_size, depth_size = _FRAME.unpack(head)
            position += _FRAME.size + color_size + depth_size
            if position > self._size:
                raise SensTruncated(self.path, index, self.header.num_frames)
            if index % stride:
                continue
            pose = np.frombuffer(pose, "<f4").reshape(4, 4)
            color, depth = self._file.read(color_size), self._file.read(depth_size)
            times = time_color, time_depth
            yield Frame(index, pose, color, depth, self.header, *times, self.path)

    def _read_header(self) -> SensHeader:
        version, length = struct.unpack("<IQ", self._take(12))
        if version != VERSION:
            raise ValueError(f"it is of version {version}, expected {VERSION}")
        name = self._take(length).decode("utf-8", "replace")
        matrices = np.frombuffer(self._take(4 * 64), "<f4").reshape(4, 4, 4)
        color_code, depth_code, *sizes, shift, count = _SIZES.unpack(self._take(_SIZES.size))
        if not (all(0 < n <= MAX_SIDE for n in sizes) and 0 < shift < math.inf):
            raise ValueError(f"its header announces images of {sizes} pixels, {shift} in a meter")
        if count > (self._size - self._file.tell()) // _FRAME.size:
            raise ValueError(f"its header announces {count} frames in {self._size} bytes")
        color, color_extrinsic, depth, depth_extrinsic = matrices
        extrinsics = name, color_extrinsic, depth_extrinsic
        return SensHeader(color, depth, *sizes, *extrinsics, color_code, depth_code, shift, count)

    def _take(self, count: int) -> bytes:
        if self._file.tell() + count > self._size:
            raise ValueError(f"it ends after {self._size} bytes, inside the header")
        return self._file.read(count)


def pack_frame(header: SensHeader, index: int, camera_to_world, color, depth) -> Frame:
    """A frame from images: color (H, W, 3) uint8 as JPEG, depth (H, W) uint16 by zlib."""
    buffer = io.BytesIO()
    Image.fromarray(color).save(buffer, "JPEG", quality=90)
    packed = zlib.compress(np.ascontiguousarray(depth, "<u2").tobytes(), 6)
    pose, time = np.asarray(camera_to_world, np.float32), index * 33_333  # 30 frames per second
    return Frame(index, pose, buffer.getvalue(), packed, header, time, time)


def write_sens(path, header: SensHeader, frames: Iterable[Frame]) -> int:
    """Writes frames as they come and returns their number, which replaces `header.num_frames`.

    The file appears under its name only when it is whole.
    """
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    matrices = header.intrinsic_color, header.extrinsic_color
    matrices += header.intrinsic_depth, header.extrinsic_depth
    name = header.name.encode()
    count = 0
    with open(partial, "wb") as file:
        file.write(struct.pack("<IQ", VERSION, len(name)) + name)
        file.write(np.stack(matrices).astype("<f4").tobytes())
        codes = header.color_compression, header.depth_compression
        sizes = header.color_width, header.color_height, header.depth_width, header.depth_height
        file.write(_SIZES.pack(*codes, *sizes, header.depth_shift, 0))
        count_position = file.tell() - 8
        for frame in frames:
            pose = np.asarray(frame.camera_to_world, "<f4").tobytes()
            sizes = len(frame.color_data), len(frame.depth_data)
            file.write(_FRAME.pack(pose, frame.timestamp_color, frame.timestamp_depth, *sizes))
            file.write(frame.color_data)
            file.write(frame.depth_data)
            count += 1
        file.write(struct.pack("<Q", 0))  # no IMU samples
        file.seek(count_position)
        file.write(struct.pack("<Q", count))
    partial.replace(path)
    return count
