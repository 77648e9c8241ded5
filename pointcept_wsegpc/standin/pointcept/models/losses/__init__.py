"""Losses that a configuration names under ``criteria``."""
