"""Trainer, its hooks and its command line."""
