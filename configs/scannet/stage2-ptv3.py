# Stage two with Pointcept's PTv3, under Pointcept's own recipe: only the training labels are ours.
_base_ = ["../_base_/plugin.py", "../../scannet/semseg-pt-v3m1-0-base.py"]

enable_wandb = False
data = dict(
    train=dict(
        type="WSegPCPseudoLabelDataset",
        store="exp/wsegpc/scannet/wsegpc-cmg-rpc/pseudo_labels",
    ),
)
