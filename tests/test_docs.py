"""The generator of the documentation's generated parts."""

import importlib.util
import subprocess

import pytest


@pytest.fixture(scope="module")
def docs(root):
    spec = importlib.util.spec_from_file_location("docs", root / ".ci" / "docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def part(spec, body=""):
    return f"before\n<!-- generated: {spec} -->\n{body}<!-- end generated -->\nafter\n"


def test_fills_a_part_and_leaves_the_rest(docs, monkeypatch):
    monkeypatch.setitem(docs.SOURCES, "twice", lambda word: f"{word} {word}\n")
    made = docs.filled(part("twice λ", "old\n"))
    assert made == part("twice λ", "λ λ\n")
    assert docs.filled(made) == made
    assert docs.filled("nothing generated") == "nothing generated"


def test_registry_table_names_every_entry(docs):
    from dera_rag import registry

    table = docs.filled(part("registry policies"))
    assert all(f"| `{name}` |" in table for name in registry.names("policies"))


def test_help_of_the_command_line(docs):
    shown = docs.filled(part("help"))
    assert "```text\nUsage: dera-rag" in shown
    assert "ask" in shown


@pytest.mark.parametrize("text", [part("nonsense"), "<!-- generated: help -->\nnever closed"])
def test_refuses_what_it_cannot_fill(docs, text):
    with pytest.raises(ValueError, match=r"no source|not closed"):
        docs.filled(text)


def test_quickstart_runs_what_the_readme_shows(docs):
    readme = (
        "```bash\necho outside\n```\n<!-- quickstart -->\n"
        '```bash\npip install "dera-rag[agents,eval]"\necho one\n```\nprose\n'
        "```python\nprint('two')\n```\n```text\nnot run\n```\n<!-- end quickstart -->\n"
    )
    script = docs.quickstart(readme)
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "one\ntwo\n"
    with pytest.raises(ValueError, match="quickstart"):
        docs.quickstart("nothing here")
