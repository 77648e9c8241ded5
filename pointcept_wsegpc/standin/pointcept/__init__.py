"""Stand-in for Pointcept: the part of its interface that pointcept_wsegpc uses.

It lets the main job and the tests run from PyPI alone, on a CPU or one GPU. A real Pointcept
(https://github.com/Pointcept/Pointcept) always wins over it; see ``pointcept_wsegpc.host``.
"""
