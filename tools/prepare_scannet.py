#!/usr/bin/env python3
"""Prepare raw ScanNet captures: points, posed views, labels, scene tags.

    tools/prepare_scannet.py --raw RAW --out ROOT --workers 8
    tools/prepare_scannet.py --raw RAW --out ROOT --pointcept data/scannet   # points as they are

Finished scenes are skipped, so an interrupted run is continued by the same command.
"""

import sys

from preparing import main

if __name__ == "__main__":
    sys.exit(main("scannet", "prepare_scannet", __doc__))
