"""``python -m pointcept_wsegpc`` is the console command ``wsegpc``."""

import os

from .commands import main
from .jobs.process import PROGRESS_FILE, exit_after_parent

if __name__ == "__main__":
    if PROGRESS_FILE in os.environ:  # a child of jobs.process.run
        exit_after_parent()
    main(prog_name="wsegpc")
