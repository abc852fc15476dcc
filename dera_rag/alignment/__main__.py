"""Train the embedded pair: `python -m dera_rag.alignment --out DIR [--e2e DIR] [--smoke]`.

With `torchrun --nproc-per-node N -m dera_rag.alignment …` N processes share the work.
"""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

# Spin barriers cost several times the work itself when a core is busy; before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main() -> None:
    """Read the command line and run the recipe."""
    from dera_rag.alignment import parallel
    from dera_rag.alignment.recipe import SMOKE, Recipe, make_pair

    parser = argparse.ArgumentParser(prog="python -m dera_rag.alignment", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoints")
    parser.add_argument(
        "--e2e",
        type=Path,
        help="folder with original_train.csv[.gz] and original_dev.csv[.gz] of the E2E NLG "
        "challenge; without it the public data set is loaded by name",
    )
    parser.add_argument("--smoke", action="store_true", help="seconds instead of an hour")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parallel.start()
    make_pair(arguments.out, arguments.e2e, SMOKE if arguments.smoke else Recipe())


if __name__ == "__main__":
    main()
