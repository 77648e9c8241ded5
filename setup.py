"""Packs configs/, a folder of the repository, into the wheel as pointcept_wsegpc/configs."""

from setuptools import find_namespace_packages, setup

CONFIGS = "pointcept_wsegpc.configs"

setup(
    packages=[*find_namespace_packages(include=["pointcept_wsegpc*"]), CONFIGS],
    package_dir={CONFIGS: "configs"},
    package_data={CONFIGS: ["*/*.py"], "": ["*.json"]},
)
