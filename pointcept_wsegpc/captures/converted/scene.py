"""Data that others prepared, in the layouts that can be converted.

wsegpc      RAW/scannet_3d/{train,val}/SCENE.pth (dictionary) · RAW/scannet_2d/SCENE/ ·
            RAW/scannet_3d/initial_superpoints_wypr/SCENE_superpoint.npz
openscene   RAW/scannet_3d/{train,val}/SCENE.pth or SCENE_vh_clean_2.pth (tuple) ·
            RAW/scannet_2d/SCENE/; BPNet's own: RAW/{train,val}/… and RAW/2D/SCENE/
concerto    RAW/{train,val,test}/SCENE/*.npy · RAW/images/{train,val,test}/SCENE/

N points, V views.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from ...clouds.normals import vertex_normals
from ...clouds.ply import read_mesh
from ...contracts.scene import SPLITS, read_all_points
from ..base import BYTES_PER_POINT, CAPTURES, Capture, LabeledSettings, Scene, setting
from ..scannet.raw import TABLE, axis_alignment
from .arrays import read_dictionary, read_superpoints, read_tuple
from .correspondence import CorrespondenceFrames
from .image_folders import ImageFolderFrames, LabelFolder, numbered

MESH = "_vh_clean_2"
SUPERPOINTS = "initial_superpoints_wypr"
PLACE = "folder of the {}, if not in its usual place"
ELSEWHERE = "give --points and --images where folders have other names"


@dataclass(frozen=True)
class ConvertSettings(LabeledSettings):
    """Settings that determine a converted scene; other values mean converting it again."""

    stride: int = setting(20, "take frames whose number is a multiple", minimum=1, metavar="N")
    regions: bool = setting(True, "take the regions that the layout has")
    depth_scale: float = setting(
        1000.0, "values of depth images in a meter; Matterport3D: 4000", above=0, metavar="N"
    )
    split: tuple[str, ...] = setting(SPLITS, "splits to convert", source=True)
    points: Path | None = setting(None, PLACE.format("points"), source=True)
    images: Path | None = setting(None, PLACE.format("images"), source=True)
    superpoints: Path | None = setting(None, PLACE.format("SCENE_superpoint.npz"), source=True)

    def __post_init__(self):
        super().__post_init__()
        for split in self.split:
            if Path(split).name != split or split in ("", ".."):
                raise ValueError(f"--split {split!r}: expected the name of a folder, such as train")


@dataclass(frozen=True)
class ConcertoSettings(ConvertSettings):
    stride: int = setting(1, "take every N-th image", minimum=1, metavar="N")


@dataclass(frozen=True)
class ConvertedCapture(Capture):
    """One scene of another layout, and where its prepared scene goes."""

    points: Path  # file, or folder of arrays
    images: Path | None = None
    regions: Path | None = None

    classes = TABLE
    format: ClassVar[str]

    @classmethod
    def find(cls, raw, root, settings):
        """Captures sorted by split and name, with the superpoints that belong to them."""
        folder = settings.superpoints or first_folder(raw, f"scannet_3d/{SUPERPOINTS}", SUPERPOINTS)
        captures = []
        for split, name, points, images in cls.find_points(raw, settings):
            if name in ("", ".", ".."):
                raise ValueError(f"{points}: {name!r} is no name of a scene; move it away")
            regions = folder and folder / f"{name}_superpoint.npz"
            given = (path if path and path.exists() else None for path in (images, regions))
            captures.append(cls(name, split, root, points, *given))
        return captures

    @classmethod
    def find_points(cls, raw: Path, settings: ConvertSettings) -> Iterator[tuple]:
        """Split, name, points and where images would be, of every scene in order."""
        raise NotImplementedError

    def points_alone(self, settings: ConvertSettings, points: dict, normals: str) -> Scene:
        """The Scene without its views: points, superpoints, and what the manifest says of them."""
        extra = {}
        if settings.regions and self.regions is not None:
            extra["region"] = read_superpoints(self.regions, len(points["coord"]))
        images = str(self.images) if self.images else None
        return Scene(
            points,
            source={"format": self.format, "points": str(self.points), "images": images},
            about={
                "normals": normals,
                "intrinsics": None,
                "regions": {"points": bool(extra), "views": 0},
            },
            extra=extra,
        )

    @classmethod
    def report(cls, prepared):
        manifests = [manifest for _, manifest in prepared]
        lines = super().report(prepared)
        if nominal := sum(m["intrinsics"] == "nominal" for m in manifests):
            lines.append(f"{nominal} scenes have no intrinsics of their own: nominal ones are used")
        if estimated := sum(m["normals"] == "estimated" for m in manifests):
            lines.append(f"normals of {estimated} scenes are estimates")
        if bare := sum(not (m["regions"]["points"] and m["regions"]["views"]) for m in manifests):
            lines.append(f"{bare} scenes lack regions: partition them")
        return lines


class FolderLayout(ConvertedCapture):
    """One file of points a scene, and scannet_2d: a folder of images a scene."""

    settings = ConvertSettings
    layout = f"scannet_3d/{{train,val}}/SCENE*.pth and scannet_2d/SCENE/{{color,…}}; {ELSEWHERE}"
    read_arrays: ClassVar[Callable[[Path], dict]]

    @classmethod
    def find_points(cls, raw, settings):
        points = settings.points or first_folder(raw, "scannet_3d") or raw
        images = settings.images or first_folder(raw, "scannet_2d", "2D")
        for split in settings.split:
            for path in sorted((points / split).glob("*.pth")):
                name = path.stem.removesuffix(MESH)
                yield split, name, path, images and images / name

    def num_views(self, settings):
        frames = numbered(self.images / "color") if self.images else ()
        return sum(frame % settings.stride == 0 for frame in frames)

    def num_points(self):
        return self.points.stat().st_size // BYTES_PER_POINT

    def read(self, settings):
        points = self.read_arrays(self.points)
        scene = self.points_alone(settings, points, self._add_normals(points))
        if self.images is None:
            return scene
        size, scale = settings.size, settings.depth_scale
        frames = ImageFolderFrames(self.images, settings.stride, size, scale, settings.regions)
        if frames.cameras:
            scene.about["intrinsics"] = frames.cameras.source

        def finish(views):
            return {"regions": {**scene.about["regions"], "views": frames.num_regions}}

        labels = LabelFolder(self.images) if (self.images / "label").is_dir() else None
        alignment = axis_alignment(self.images)
        return replace(scene, views=frames, labels=labels, axis_alignment=alignment, finish=finish)

    def _add_normals(self, points):
        """Take missing normals from the mesh beside the file, if that is there; where from."""
        if "normal" in points:
            return "given"
        mesh = self.points.with_name(f"{self.name}{MESH}.ply")
        if mesh.is_file():
            vertex, _, face = read_mesh(mesh)
            if len(vertex) == len(points["coord"]):
                points["normal"] = vertex_normals(vertex, face)
                return "mesh"
        return "estimated"


@CAPTURES.register("wsegpc")
class WSegPCCapture(FolderLayout):
    """The official WSegPC folders."""

    format, read_arrays = "wsegpc", staticmethod(read_dictionary)


@CAPTURES.register("openscene")
class OpenSceneCapture(FolderLayout):
    """BPNet's and OpenScene's folders."""

    format, read_arrays = "openscene", staticmethod(read_tuple)


@CAPTURES.register("concerto")
class ConcertoCapture(ConvertedCapture):
    """Pointcept's preprocessed scenes with the image folders of its Concerto."""

    settings, format = ConcertoSettings, "concerto"
    layout = f"{{train,val}}/SCENE/coord.npy and images/{{train,val}}/SCENE/color; {ELSEWHERE}"

    @classmethod
    def find_points(cls, raw, settings):
        points, images = settings.points or raw, settings.images or raw / "images"
        for split in settings.split:
            for path in sorted((points / split).glob("*/coord.npy")):
                scene = path.parent
                yield split, scene.name, scene, images / split / scene.name

    def num_views(self, settings):
        images = list((self.images / "color").glob("*")) if self.images else ()
        return -(-len(images) // settings.stride)

    def read(self, settings):
        points = read_all_points(self.points)
        scene = replace(self.points_alone(settings, points, "given"), linked=self.points)
        if self.images is None:
            return scene
        frames = CorrespondenceFrames(self.images, points["coord"], settings.stride, settings.size)

        def finish(views):
            return {"rendered_depth": {"from": "correspondence", "views": views.frame.tolist()}}

        return replace(scene, views=frames, finish=finish)


def first_folder(source: Path, *names: str) -> Path | None:
    """The first of the folders that is there, None if none is."""
    return next((source / name for name in names if (source / name).is_dir()), None)
