#!/usr/bin/env python3
"""Prepare your own scans: a folder per scene with a cloud, posed images and hand-written tags.

    tools/prepare_folder.py --template my_scans          # an example to look at and to fill
    tools/prepare_folder.py --raw my_scans --out data/scans --workers 4

Clouds: .ply .pcd .npy .las .laz. Poses: ScanNet, TUM, Open3D, COLMAP, ARKitScenes, Nerfstudio.

Finished scenes are skipped, so an interrupted run is continued by the same command.
"""

import sys

from preparing import main

if __name__ == "__main__":
    sys.exit(main("scans", "prepare_folder", __doc__))
