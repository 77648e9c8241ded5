"""Regions of prepared scenes: extraction, records, and reports on a data set."""
