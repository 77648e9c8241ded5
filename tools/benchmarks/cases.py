"""The cases of the benchmark by name: functions of (Sizes, cache folder) that build one."""

import pointcept_wsegpc.register  # noqa: F401  puts Pointcept on the path, ours in its registries

from . import loss_cases, scene_cases

CASES = {
    "sample": scene_cases.sample_case,
    "rpc_3d": loss_cases.rpc_3d_case,
    "rpc_2d": loss_cases.rpc_2d_case,
    "guidance": loss_cases.guidance_case,
    "ema": loss_cases.ema_case,
    "regions_3d": scene_cases.regions_3d_case,
    "regions_2d": scene_cases.regions_2d_case,
    "export": scene_cases.export_case,
}
