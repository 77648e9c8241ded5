_base_ = ["./toy.py"]
batch_size = 2
epoch = 6
eval_epoch = 3
hooks = [
    dict(type="CheckpointLoader"),
    dict(type="SemSegEvaluator"),
    dict(type="CheckpointSaver", save_freq=None),
    dict(type="KillInEpoch", epoch=1),
]
