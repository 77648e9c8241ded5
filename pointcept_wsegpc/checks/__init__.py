"""Whether a prepared data root is fit for a training, before a GPU is spent on it."""
