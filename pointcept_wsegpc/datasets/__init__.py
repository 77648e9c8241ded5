"""Registered data sets: multi-view scenes for stage one, pseudo-labeled scenes for stage two."""
