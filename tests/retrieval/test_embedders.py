import json
import subprocess
import sys

import numpy as np
import pytest

from dera_rag.errors import MissingFileError, ModelLoadError
from dera_rag.protocols import Embedder, QuestionEmbedder
from dera_rag.retrieval import Document, SentenceTransformerEmbedder, StaticEmbedder, VectorIndex
from dera_rag.retrieval.embedders import EMBEDDED

TEXTS = [
    "What is The Copper Kettle like?",
    "- name: Café Añoranza\n- type: pub",
    "日本語 🍵 O’Malley's",
    "x",
    "word " * 500,
]
# sentence-transformers 6.2 leaves the configuration files it reads to the garbage collector.
leaks_files = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def embedded():
    return StaticEmbedder.embedded()


@leaks_files
def test_the_static_embedder_is_what_sentence_transformers_makes_of_its_files(embedded):
    from sentence_transformers import SentenceTransformer

    oracle = SentenceTransformer(str(EMBEDDED), device="cpu").float()
    np.testing.assert_allclose(embedded.embed(TEXTS), oracle.encode(TEXTS), atol=1e-6)


@leaks_files
def test_any_sentence_transformers_model(tmp_path):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(EMBEDDED), device="cpu", prompts={"query": "ask: "}).float()
    model.save_pretrained(str(tmp_path))
    by_path, loaded = SentenceTransformerEmbedder(tmp_path), SentenceTransformerEmbedder(model)
    assert isinstance(by_path, QuestionEmbedder)
    assert by_path.name.startswith(f"{tmp_path.name}@")
    assert by_path.name.split("@")[1] == loaded.name.split("@")[1]
    np.testing.assert_allclose(
        by_path.embed(["a pub"]), StaticEmbedder(EMBEDDED).embed(["a pub"]), atol=1e-6
    )
    asked = StaticEmbedder(EMBEDDED).embed(["ask: a pub"])
    np.testing.assert_allclose(by_path.embed_questions(["a pub"]), asked, atol=1e-6)
    assert by_path.embed([]).shape == (0, by_path.dimension)
    index = VectorIndex.build([Document("a", "a pub"), Document("b", "rain")], by_path)
    index.save(tmp_path / "index")
    again = VectorIndex.load(tmp_path / "index", SentenceTransformerEmbedder(tmp_path))
    assert again.retrieve("pub", 1)[0].id == "a"


@leaks_files
def test_a_model_that_is_not_there_says_so(tmp_path):
    with pytest.raises(ModelLoadError, match="cannot load"):
        SentenceTransformerEmbedder(tmp_path)


def test_rows_are_unit_vectors_and_blank_text_is_zero(embedded):
    rows = embedded.embed([*TEXTS, "", "!?"])
    assert rows.dtype == np.float32
    assert rows.shape == (7, embedded.dimension)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1] * 5 + [0, 0], atol=1e-6)
    assert embedded.embed([]).shape == (0, embedded.dimension)
    assert isinstance(embedded, Embedder)


def test_spelling_of_names_does_not_matter(embedded):
    one, other = embedded.embed(["The CAFÉ O’Malley's", "the cafe omalley"])
    assert one @ other == pytest.approx(1, abs=1e-5)


def test_the_embedded_model_is_small():
    assert sum(f.stat().st_size for f in EMBEDDED.rglob("*") if f.is_file()) <= 10_000_000


def test_it_answers_without_torch():
    code = (
        "import sys; from dera_rag.retrieval import StaticEmbedder, VectorIndex, Document\n"
        "index = VectorIndex.build([Document('a', 'a pub')]); index.retrieve('pub')\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'langchain_core'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_folders_that_hold_no_static_model(tmp_path):
    with pytest.raises(MissingFileError, match=r"model\.safetensors"):
        StaticEmbedder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelLoadError, match="not a static embedding model"):
        StaticEmbedder(tmp_path)
    from safetensors.numpy import save_file

    tokenizer = (EMBEDDED / "tokenizer.json").read_text()
    (tmp_path / "tokenizer.json").write_text(tokenizer)
    save_file({"other": np.zeros((3, 2), np.float16)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelLoadError, match="other"):
        StaticEmbedder(tmp_path)
    save_file({"embedding.weight": np.zeros((3, 2), np.float16)}, tmp_path / "model.safetensors")
    with pytest.raises(
        ModelLoadError, match=f"{len(json.loads(tokenizer)['model']['vocab'])} tokens"
    ):
        StaticEmbedder(tmp_path)
