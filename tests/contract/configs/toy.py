_base_ = ["./runtime.py"]
custom_imports = dict(imports=["contract_toy"], allow_failed_imports=False)

optimizer = dict(lr=0.05)
model = dict(
    type="DefaultSegmentor",
    backbone=dict(type="Toy-Linear", num_classes=4),
    criteria=[dict(type="CrossEntropyLoss", loss_weight=1.0, ignore_index=-1)],
)
data = dict(
    num_classes=4,  # one more than the labels have: an absent class
    ignore_index=-1,
    names=["left", "middle", "right", "absent"],
    train=dict(type="ToyDataset"),
    val=dict(type="ToyDataset"),
)
hooks = [
    dict(type="CheckpointLoader"),
    dict(type="IterationTimer", warmup_iter=2),
    dict(type="InformationWriter"),
    dict(type="SemSegEvaluator"),
    dict(type="CheckpointSaver", save_freq=None),
    dict(type="CallRecorder"),
]
