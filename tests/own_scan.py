"""The room of raw_scan.py as an own scan, in every pose convention. V images, one camera.

Depth and color share the depth camera of raw_scan.py. Each writer fills a folder of one scene.
"""

import json
import struct

import numpy as np
import raw_scan
from PIL import Image
from scipy.spatial.transform import Rotation

SIZE = raw_scan.DEPTH_SIZE
INTRINSIC = raw_scan.DEPTH_INTRINSIC[:3, :3].astype(np.float64)
FX, FY, CX, CY = INTRINSIC[0, 0], INTRINSIC[1, 1], INTRINSIC[0, 2], INTRINSIC[1, 2]
FLIP = np.diag([1.0, -1, -1, 1])  # between OpenCV's and OpenGL's camera


def pose(index):
    """Camera-to-world as a .sens file keeps it."""
    return raw_scan.pose(index).astype(np.float32).astype(np.float64)


def write_image(folder, name, index, size=SIZE, intrinsic=INTRINSIC):
    _, surface = raw_scan.render(intrinsic, size, pose(index))
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(raw_scan.color_of(surface)).save(folder / name)


def write_depth(folder, name, index, scale=1000, size=SIZE, intrinsic=INTRINSIC):
    depth, _ = raw_scan.render(intrinsic, size, pose(index))
    millimeters = np.rint(depth * 1000)  # as raw_scan.py rounds
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray((millimeters * (scale / 1000)).astype(np.uint16)).save(folder / name)


def write_mesh(scene, name="mesh.ply"):
    scene.mkdir(parents=True, exist_ok=True)
    (scene / name).write_bytes(raw_scan.mesh_file())


def write_text(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (row if isinstance(row, str) else " ".join(f"{v:.17g}" for v in row) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def quaternion(matrix):
    """x, y, z, w."""
    return Rotation.from_matrix(matrix[:3, :3]).as_quat()


def scannet(scene, count):
    write_mesh(scene)
    write_text(scene / "intrinsic/intrinsic_color.txt", *raw_scan.DEPTH_INTRINSIC)
    write_text(scene / "intrinsic/intrinsic_depth.txt", *raw_scan.DEPTH_INTRINSIC)
    for i in range(count):
        write_image(scene / "color", f"{i}.png", i)
        write_depth(scene / "depth", f"{i}.png", i)
        write_text(scene / f"pose/{i}.txt", *pose(i))


def tum(scene, count):
    write_mesh(scene)
    write_text(scene / "intrinsic.txt", (FX, FY, CX, CY))
    rows, color, depth = ["# timestamp tx ty tz qx qy qz qw"], ["# color"], ["# depth"]
    for i in range(count):
        stamp = 1305031102.175304 + i / 30
        write_image(scene / "rgb", f"{stamp:.6f}.png", i)
        write_depth(scene / "depth", f"{stamp + 0.011:.6f}.png", i, scale=5000)
        color.append(f"{stamp:.6f} rgb/{stamp:.6f}.png")
        depth.append(f"{stamp + 0.011:.6f} depth/{stamp + 0.011:.6f}.png")
        rows.append((stamp - 0.004, *pose(i)[:3, 3], *quaternion(pose(i))))
    write_text(scene / "groundtruth.txt", *rows)
    write_text(scene / "rgb.txt", *color)
    write_text(scene / "depth.txt", *depth)


def open3d(scene, count):
    write_mesh(scene)
    entries = []
    for i in range(count):
        write_image(scene / "image", f"frame {i}.png", i)  # 10 comes after 9
        write_depth(scene / "depth", f"frame {i}.png", i)
        entries.append({"extrinsic": np.linalg.inv(pose(i)).T.ravel().tolist()})
    camera = {"width": SIZE[1], "height": SIZE[0], "intrinsic_matrix": INTRINSIC.T.ravel().tolist()}
    entries[0]["intrinsic"] = camera  # the others take it from its own file
    (scene / "trajectory.json").write_text(json.dumps({"parameters": entries}))
    (scene / "camera.json").write_text(json.dumps(camera))


def colmap(scene, count, binary=False, model="PINHOLE", extra=()):
    write_mesh(scene)
    images = []
    for i in range(count):
        name = f"кухня {i}.png"
        write_image(scene / "images", name, i)
        write_depth(scene / "depth", name, i)
        x, y, z, w = quaternion(np.linalg.inv(pose(i)))
        images.append((10 + i, (w, x, y, z), np.linalg.inv(pose(i))[:3, 3], name))
    parameters = (FX, FY, CX + 0.5, CY + 0.5, *extra)  # pixel centers at half-integers
    folder = scene / "sparse" / "0"
    folder.mkdir(parents=True)
    write = _colmap_binary if binary else _colmap_text
    write(folder, model, parameters, images[::-1])  # in any order


def _colmap_text(folder, model, parameters, images):
    numbers = " ".join(f"{value:.17g}" for value in parameters)
    write_text(folder / "cameras.txt", "# cameras", f"3 {model} {SIZE[1]} {SIZE[0]} {numbers}")
    rows = ["# images", "# two lines each"]
    for number, q, t, name in images:
        values = " ".join(f"{value:.17g}" for value in (*q, *t))
        rows += [f"{number} {values} 3 {name}", "1.5 2.5 -1" if number % 2 else ""]
    write_text(folder / "images.txt", *rows)


def _colmap_binary(folder, model, parameters, images):
    number = {"SIMPLE_PINHOLE": 0, "PINHOLE": 1, "OPENCV": 4, "OPENCV_FISHEYE": 5}[model]
    cameras = struct.pack("<QiiQQ", 1, 3, number, SIZE[1], SIZE[0])
    (folder / "cameras.bin").write_bytes(cameras + np.array(parameters, "<f8").tobytes())
    data = struct.pack("<Q", len(images))
    for number, q, t, name in images:
        data += struct.pack("<i7di", number, *q, *t, 3) + name.encode() + b"\0"
        data += struct.pack("<Qddq", 1, 1.5, 2.5, -1)
    (folder / "images.bin").write_bytes(data)


def arkit(scene, count):
    write_mesh(scene, "41069021_3dod_mesh.ply")
    rows = []
    for i in range(count):
        stamp = 305.123456 + i / 10
        name = f"41069021_{stamp:.3f}"
        write_image(scene / "lowres_wide", f"{name}.png", i)
        write_depth(scene / "lowres_depth", f"{name}.png", i)
        camera = (SIZE[1], SIZE[0], FX, FY, CX, CY)
        write_text(scene / f"lowres_wide_intrinsics/41069021_{stamp - 0.001:.3f}.pincam", camera)
        inverse = np.linalg.inv(pose(i))
        rows.append((stamp, *Rotation.from_matrix(inverse[:3, :3]).as_rotvec(), *inverse[:3, 3]))
    write_text(scene / "lowres_wide.traj", *rows)


def nerfstudio(scene, count, **top):
    write_mesh(scene)
    frames = []
    for i in range(count):
        write_image(scene / "images", f"frame_{i:05d}.png", i)
        write_depth(scene / "depths", f"frame_{i:05d}.png", i)
        frames.append(
            {
                "file_path": f"./images/frame_{i:05d}" + ".png" * (i % 2),
                "depth_file_path": f"depths/frame_{i:05d}.png",
                "transform_matrix": (pose(i) @ FLIP).tolist(),
            }
        )
    camera = {"w": SIZE[1], "h": SIZE[0], "fl_x": FX, "fl_y": FY, "cx": CX + 0.5, "cy": CY + 0.5}
    data = {"camera_model": "OPENCV", **camera, "frames": frames[::-1], **top}
    (scene / "transforms.json").write_text(json.dumps(data))


WRITERS = {
    "scannet": scannet,
    "tum": tum,
    "open3d": open3d,
    "colmap": colmap,
    "colmap binary": lambda scene, count: colmap(scene, count, binary=True),
    "arkit": arkit,
    "nerfstudio": nerfstudio,
}
