# Stage two with Pointcept's PTv3, under Pointcept's own recipe: only the training labels are ours.
_base_ = ["../_base_/plugin.py", "../../s3dis/semseg-pt-v3m1-0-base.py"]

enable_wandb = False
root = "data/s3dis_wsegpc"
labels = "exp/wsegpc/s3dis/wsegpc-cmg-rpc/pseudo_labels"
data = dict(
    train=dict(
        type="WSegPCPseudoLabelDataset", dataset="S3DISDataset", store=labels, data_root=root
    ),
    val=dict(data_root=root),
    test=dict(data_root=root),
)
