# What Pointcept's trainer asks of every configuration.
weight = None
resume = False
evaluate = True
seed = 3
save_path = "set by --options"
num_worker = 1
batch_size = 4
batch_size_val = None
batch_size_test = None
gradient_accumulation_steps = 1
epoch = 4
eval_epoch = 2
clip_grad = None
sync_bn = False
enable_amp = False
amp_dtype = "float16"
empty_cache = False
empty_cache_per_epoch = False
find_unused_parameters = False
enable_wandb = False
mix_prob = 0
param_dicts = None
train = dict(type="DefaultTrainer")
optimizer = dict(type="SGD", lr=0.1, momentum=0.9)
scheduler = dict(type="PolyLR", power=0.9)
