# What the trainer needs to know, at values that suit both stages.
weight = None  # checkpoint to start from
resume = False
evaluate = True  # on data.val after every epoch; needs labels there
test_only = False

seed = 1463
save_path = "exp/default"
num_worker = 8  # over all GPUs
batch_size = 4  # over all GPUs
batch_size_val = None  # None: one scene per GPU
batch_size_test = None
gradient_accumulation_steps = 1
epoch = 200  # passes over the data, spread over eval_epoch epochs of `epoch // eval_epoch` loops
eval_epoch = 50
clip_grad = None

sync_bn = False
enable_amp = False
amp_dtype = "float16"
empty_cache = False
empty_cache_per_epoch = False
find_unused_parameters = False
mix_prob = 0  # stage one mixes in its data set (mix3d_prob)
param_dicts = None

enable_wandb = False
wandb_project = "pointcept"
wandb_key = None

train = dict(type="DefaultTrainer")
test = dict(type="SemSegTester", verbose=True)
