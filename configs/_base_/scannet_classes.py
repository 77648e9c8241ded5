# The 20 classes of the ScanNet benchmark, in Pointcept's order and spelling.
_base_ = []

from pointcept_wsegpc.contracts.classes import ClassTable

names = ClassTable.shipped("scannet20").names
data = dict(num_classes=len(names), ignore_index=-1, names=list(names))
del ClassTable, names
