"""The package as a whole: light to import, complete in its wheel, in step with its metadata."""

import ast
import importlib
import itertools
import json
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import dera_rag

PACKAGE = Path(dera_rag.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {
    "torch",
    "transformers",
    "tokenizers",
    "sentence_transformers",
    "faiss",
    "langchain",
    "langchain_core",
    "langgraph",
    "matplotlib",
    "numpy",
    "scipy",
    "sklearn",
    "pandas",
}


def loaded_by(code):
    """Top-level modules that a fresh interpreter holds after running the code."""
    report = "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    probe = f"import sys\n{code}\n{report}"
    ran = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(ran.stderr.split())


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def requirements(project):
    """Every requirement of the package and its extras, those on itself left out."""
    extras = project["optional-dependencies"].values()
    listed = [*project["dependencies"], *itertools.chain.from_iterable(extras)]
    return [r for r in map(Requirement, listed) if canonicalize_name(r.name) != "dera-rag"]


@pytest.mark.parametrize(
    "code",
    [
        "import dera_rag",
        "from dera_rag import errors, protocols, registry, types",
        "from dera_rag import Generation, RagAnswer",
        "from dera_rag.registry import names; names('policies')",
    ],
)
def test_imports_stay_light(code):
    assert loaded_by(code) & HEAVY == set()


@pytest.mark.parametrize(
    "verb", [[], ["index"], ["ask"], ["path"], ["pairs"], ["curve"], ["doctor"], ["demo"], ["eval"]]
)
def test_help_stays_light(verb):
    code = (
        f"sys.argv = ['dera-rag', *{verb!r}, '--help']\n"
        "from dera_rag.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code"
    )
    assert loaded_by(code) & HEAVY == set()


def test_public_names_resolve_and_are_cached():
    assert set(dera_rag.__all__) <= set(dir(dera_rag))
    for name in dera_rag.__all__:
        value = getattr(dera_rag, name)
        assert vars(dera_rag)[name] is value


def test_type_checkers_see_the_names_that_are_imported_lazily():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    block = next(
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == dera_rag._LAZY


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="DeraDecodr"):
        dera_rag.DeraDecodr  # noqa: B018 - the lookup raises
    with pytest.raises(ImportError):
        importlib.import_module("dera_rag.nothing")


def test_version_is_one(root, project):
    assert dera_rag.__version__ == project["version"] == version("dera-rag")
    assert f"## {dera_rag.__version__}" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_all_is_every_extra_but_services_and_dev(project):
    extras = project["optional-dependencies"]
    (everything,) = map(Requirement, extras["all"])
    assert everything.extras == set(extras) - {"all", "dev", "ray", "ui", "serve"}


def test_constraints_pin_every_requirement_within_its_range(root, requirements):
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert list(pins) == sorted(pins)
    assert all(name == canonicalize_name(name) for name in pins)
    assert not [pin for pin in pins.values() if "+" in pin], "a local version fits one build only"
    for requirement in requirements:
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin, f"{requirement} is not pinned"
        assert requirement.specifier.contains(pin), f"{requirement} does not allow {pin}"


def test_the_package_never_names_the_folders_around_it():
    """Paths arrive as arguments: the wheel has no `evals/` or `corpora/` beside it."""
    outside = ("evals", "corpora", "examples", "tests")
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                named = [node.module or ""]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                named = [node.value]
            else:
                continue
            for text in named:
                # A keyword of JSON Schema.
                keyword = text == "examples" and path.name in ("schemas.py", "builder.py")
                assert keyword or text not in outside, f"{path.name}:{node.lineno}: {text!r}"
                assert not text.startswith(tuple(f"{o}{end}" for o in outside for end in "./")), (
                    f"{path.name}:{node.lineno}: {text!r}"
                )


def test_library_code_never_sets_logging_up():
    """Levels and handlers belong to the program, also those of the libraries below."""
    forbidden = {"setLevel", "basicConfig", "addHandler", "set_verbosity", "set_verbosity_error"}
    for path in SOURCES:
        if path.is_relative_to(PACKAGE / "cli") or path.name == "__main__.py":
            continue
        called = {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert not called & forbidden, path


@pytest.mark.slow
def test_wheel_holds_the_package_and_nothing_else(root, tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path, root],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = [n for n in names if n.endswith(".dist-info/METADATA")]
        text = archive.read(metadata).decode()
    info = metadata.partition("/")[0]
    shipped = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        # A folder's README is for readers of the source; what is embedded ships with its card.
        and (path.name != "README.md" or "embedded" in path.parts)
    }
    assert {n for n in names if not n.startswith(f"{info}/")} == shipped
    assert "dera_rag/py.typed" in names
    assert f"{info}/licenses/LICENSE" in names
    assert f"{info}/entry_points.txt" in names
    assert "License-Expression: Apache-2.0" in text


def test_embedded_weights_are_safetensors():
    """Nothing that is shipped can run code when it is loaded, and every JSON file parses."""
    embedded = [path for path in (PACKAGE / "embedded").rglob("*") if path.is_file()]
    assert embedded
    allowed = {".safetensors", ".json", ".jsonl", ".yaml", ".txt", ".md", ".jinja"}
    assert {path.suffix for path in embedded} <= allowed
    for path in embedded:
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
