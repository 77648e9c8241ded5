"""Figures and colored clouds."""
