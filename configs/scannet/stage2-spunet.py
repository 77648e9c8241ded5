# Stage two with Pointcept's SpUNet, under Pointcept's own recipe: only the training labels are ours.
_base_ = ["../_base_/plugin.py", "../../scannet/semseg-spunet-v1m1-0-base.py"]

enable_wandb = False
data = dict(
    train=dict(
        type="WSegPCPseudoLabelDataset",
        store="exp/wsegpc/scannet/wsegpc-cmg-rpc/pseudo_labels",
    ),
)
