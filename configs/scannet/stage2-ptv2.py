# Stage two with Pointcept's PTv2, under Pointcept's own recipe: only the training labels are ours.
_base_ = ["../_base_/plugin.py", "../../scannet/semseg-pt-v2m2-0-base.py"]

enable_wandb = False
root = "data/scannet_wsegpc"
labels = "exp/wsegpc/scannet/wsegpc-cmg-rpc/pseudo_labels"
data = dict(
    train=dict(type="WSegPCPseudoLabelDataset", store=labels, data_root=root),
    val=dict(data_root=root),
    test=dict(data_root=root),
)
