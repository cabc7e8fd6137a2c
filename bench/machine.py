"""What a comparison ran on, so that tables of several machines can stand side by side."""

import os
import subprocess
import sys


def print_machine(cloze, threads=None):
    """Prints what `cloze info --machine` says: the processor, and its rates measured now."""
    environment = {**os.environ, "CLOZE_NUM_THREADS": str(threads)} if threads else None
    told = subprocess.run([str(cloze), "info", "--machine"], capture_output=True, text=True, env=environment)
    print(told.stdout if told.returncode == 0 else f"the machine is not known: {told.stderr}", flush=True)


if __name__ == "__main__":
    print_machine(sys.argv[1])
