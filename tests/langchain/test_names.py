"""The public names of dera_rag.langchain: imported on first use, and the same for type checkers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dera_rag.langchain as adapters


@pytest.mark.parametrize("name", adapters.__all__)
def test_resolves_and_is_cached(name):
    value = getattr(adapters, name)
    assert vars(adapters)[name] is value
    assert value.__name__ == name
    assert name in dir(adapters)


def test_type_checkers_see_the_same():
    tree = ast.parse(Path(adapters.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == adapters._LAZY


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="ChatDera"):
        adapters.ChatDera  # noqa: B018 - the lookup raises


def test_the_package_alone_loads_nothing_heavy():
    code = (
        "import sys, dera_rag.langchain; heavy = {'torch', 'langchain', 'langchain_core', "
        "'langgraph', 'faiss'}; print(heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
