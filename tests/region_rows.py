"""Regions of what a partition method sees: the M rows of a Cloud or a DepthView."""

from pointcept_wsegpc.regions import PARTITIONS


def regions_of(method, cloud, **settings):
    """Region (M,) of the rows by a method of a name."""
    region, _ = PARTITIONS.get(method).resolve(given=settings)(cloud)
    return cloud.select(region)
