#!/usr/bin/env python3
"""Prepare S3DIS rooms with the images of 2D-3D-Semantics: points, posed views, labels, tags.

    tools/prepare_s3dis.py --raw Stanford3dDataset_v1.2 --images 2D3DS --out ROOT --workers 8
    tools/prepare_s3dis.py --raw data/s3dis --images 2D3DS --angles Stanford3dDataset_v1.2 \\
        --out ROOT      # the arrays of Pointcept's preprocessing as they are

Finished scenes are skipped, so an interrupted run is continued by the same command.
"""

import sys

from preparing import main

if __name__ == "__main__":
    sys.exit(main("s3dis", "prepare_s3dis", __doc__))
