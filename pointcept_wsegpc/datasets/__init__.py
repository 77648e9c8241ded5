"""Registered data sets: multi-view scenes for stage one, pseudo-labelled scenes for stage two."""
