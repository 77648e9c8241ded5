"""Procedural furnished rooms and a simulated scan of them: the inside of synthetic/scans.py.

shapes, paint -> furniture, fixtures, clutter -> placement -> room -> render, trajectory, surface
"""
