"""Every example runs, on its own, offline, and says what it promises."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted(Path(__file__).resolve().parents[1].glob("examples/*.py"))
PROMISES = {
    "01_ask.py": ["λ=0.0:", "λ=auto:", "λ=1.0:", "λ=2.0:", "why: λ="],
    "02_your_corpus.py": ["What food does The Paper Lantern serve?", "not to pair"],
    "03_your_pair.py": ["λ=0 (", "λ=2 (", "log p aligned"],
    "04_langchain.py": ["streamed, λ=1: ", "λ=0: ", "'lam': 1.5", "output_tokens"],
}


def test_each_has_its_promises_and_its_line():
    assert [example.name for example in EXAMPLES] == sorted(PROMISES)
    readme = (EXAMPLES[0].parent / "README.md").read_text(encoding="utf-8")
    assert all(f"[{name}]({name})" in readme for name in PROMISES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_size(example):
    lines = example.read_text(encoding="utf-8").splitlines()
    assert 15 <= len(lines) <= 45


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_runs(example, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:dera_rag", str(example)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for promise in PROMISES[example.name]:
        assert promise in done.stdout
