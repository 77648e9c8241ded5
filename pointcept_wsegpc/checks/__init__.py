"""Checks that a prepared data root is fit for training, to run before any GPU time is spent."""
