"""The method's losses as pure functions; see tags.py, guidance.py and consistency.py."""
