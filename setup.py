"""The packages of the wheel: what is found, and configs/, where setup.cfg's package_dir maps it."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[
        *find_namespace_packages(include=["pointcept_wsegpc*"]),
        "pointcept_wsegpc.configs",
    ]
)
