"""Generates synthetic raw scans; only commands import this package."""
