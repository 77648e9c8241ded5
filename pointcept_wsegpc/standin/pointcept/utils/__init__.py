"""Registries, configuration, logging, optimisation and process helpers."""
