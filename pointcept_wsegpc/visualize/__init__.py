"""Figures and coloured clouds."""
