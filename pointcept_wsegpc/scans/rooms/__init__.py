"""Procedural furnished rooms and a simulated scan of them: the inside of scans/synthetic.py.

shapes, paint -> furniture, fixtures, clutter -> placement -> room -> render, trajectory, surface
"""
