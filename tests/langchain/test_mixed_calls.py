"""A thousand calls of every kind from sixteen threads: none hangs or disturbs, nothing grows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).resolve().parents[1] / "mixed_calls.py"


@pytest.mark.parametrize("kind", ["table", "lean"])
def test_mixed_calls_from_16_threads(kind, cases, tmp_path):
    """invoke, stream, ainvoke, batch, schemas, tools, log-probabilities, evidence, completions.

    Some are given up midway. On a table, and on a tiny Llama whose prefix cache is full before
    memory is looked at. oneDNN keeps a kernel for each of the last 1,024 shapes it has met, which
    takes thousands of calls to fill: here of sixteen, so that what else grows is seen.
    """
    count = cases(60, 1000)
    done = subprocess.run(
        [sys.executable, str(DRIVER), kind, str(tmp_path), str(count)],
        env=os.environ | {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16"},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["answers"], told["disturbed"], told["running"]) == (count, [], False)
    assert told["different"] > 20
    assert abs(told["after"] - told["before"]) <= 0.05 * told["before"]
