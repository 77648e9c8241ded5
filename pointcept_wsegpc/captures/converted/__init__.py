"""Data that others prepared, converted into prepared scenes (schema.py)."""
