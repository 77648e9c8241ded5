"""Registered segmentors and backbones, and the networks that they are made of."""
