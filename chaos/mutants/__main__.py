"""`python -m chaos.mutants`: the same as `python -m chaos mutants`."""

import sys

from chaos.mutants.command import main

if __name__ == "__main__":
    sys.exit(main())
