# The 20 classes of the ScanNet benchmark, in Pointcept's order and spelling.
_base_ = []  # without it mmengine would take the import for its other kind of config

from pointcept_wsegpc.contracts.classes import ClassTable

data = dict(num_classes=20, ignore_index=-1, names=list(ClassTable.shipped("scannet20").names))
del ClassTable
