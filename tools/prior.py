#!/usr/bin/env python3
"""The command `wsegpc prior`."""

from pointcept_wsegpc.commands import door

if __name__ == "__main__":
    door(__file__)
