"""``python -m pointcept_wsegpc`` is the console command ``wsegpc``."""

from .commands import main

if __name__ == "__main__":
    main(prog_name="wsegpc")
