"""The cases of the benchmark by name: functions of (Sizes, cache folder) that build one."""

import dataclasses

import pointcept_wsegpc.register  # noqa: F401  puts Pointcept on the path, ours in its registries

from . import loss_cases, region_cases, scene_cases


def _few_points(case):
    return lambda sizes, cache: case(dataclasses.replace(sizes, points=sizes.few), cache)


CASES = {
    "sample": scene_cases.sample_case,
    "rpc_3d": loss_cases.rpc_3d_case,
    "rpc_2d": loss_cases.rpc_2d_case,
    "guidance": loss_cases.guidance_case,
    "ema": loss_cases.ema_case,
    "regions_3d": region_cases.regions_3d_case,
    "regions_2d": region_cases.regions_2d_case,
    "regions_cgal_40k": _few_points(region_cases.regions_cgal_case),
    "regions_cgal_150k": region_cases.regions_cgal_case,
    "regions_growth": region_cases.regions_growth_case,
    "export": scene_cases.export_case,
}
