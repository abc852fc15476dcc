"""Every example runs, on its own, offline, and says what it promises."""

import ast
import json
import os
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
    "05_rag_chain.py": ["streamed: ", "no passage bears the name", "; cites ['", "by a rule: "],
    "06_history.py": ["asked as: How much does ", "λ=", "; cites ['"],
    "07_agent.py": ["['human', 'ai', 'tool', 'ai']: ", "context {}: λ=", "λ is fixed at 0"],
    "08_graph.py": ["context {}: ", "    λ=", "λ is fixed at 0.5"],
    "09_qdrant.py": ["in process, ", "passages", "scores [", "cites ['", "    λ="],
}
NOTEBOOKS = sorted(Path(__file__).resolve().parents[1].glob("examples/*.ipynb"))


def test_each_has_its_promises_and_its_line():
    assert [example.name for example in EXAMPLES] == sorted(PROMISES)
    readme = (EXAMPLES[0].parent / "README.md").read_text(encoding="utf-8")
    names = [*PROMISES, *(notebook.name for notebook in NOTEBOOKS)]
    assert all(f"[{name}]({name})" in readme for name in names)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_size(example):
    lines = example.read_text(encoding="utf-8").splitlines()
    assert 15 <= len(lines) <= 45


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_runs(example, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:dera_rag", str(example)],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "QDRANT_URL"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for promise in PROMISES[example.name]:
        assert promise in done.stdout


def code_of(notebook):
    """A notebook's code cells as one script; it is stored without outputs."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in content["cells"]}) == len(content["cells"])
    return ["".join(cell["source"]) for cell in cells]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_ends_in_a_plot(notebook, tmp_path):
    *cells, last = code_of(notebook)
    for cell in (*cells, last):
        ast.parse(cell)
    shown = "plt.show()"
    assert last.endswith(shown)
    # Without a display a figure stays open: what is shown is kept instead.
    script = "\n".join([*cells, last.removesuffix(shown), "fig.savefig('plot.png')"])
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert " → " in done.stdout
    assert (tmp_path / "plot.png").stat().st_size > 5_000
