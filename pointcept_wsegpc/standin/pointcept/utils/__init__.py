"""Registries, configuration, logging, optimization and process helpers."""
