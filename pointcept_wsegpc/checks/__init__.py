"""Whether a prepared data root is fit for a training, measured before a GPU is booked."""
