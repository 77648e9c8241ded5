"""The on-disk contracts: prepared scene, views, regions, tags.

Every file that one stage writes and another reads goes through this module, and every write is
atomic (files/). Shapes: N points, V views of H x W pixels, C classes.

    <root>/<split>/<scene>/  coord.npy (N, 3) float32 m · color.npy (N, 3) uint8
                             normal.npy (N, 3) float32 · optional segment*.npy
                             region.npy (N,) int32 · of own scans inverse.npy
      views/                 NNNNNN.jpg · NNNNNN.depth.png (mm)
                             NNNNNN.region.png · NNNNNN.label.png (uint16, 65535 = none)
      views.npz              frame (V,) · intrinsic (V, 3, 3) · world_to_camera (V, 4, 4)
                             size (V, 2) as (H, W) · axis_alignment (4, 4)
      manifest.json          source, settings, counts; written last: it marks a finished scene
    <root>/scene_tags.json   {scene: [class names]} · optional view_tags.json
    <root>/classes.json      the class table, see classes.py

Pseudo-labels: contracts/label_store.py.
"""
