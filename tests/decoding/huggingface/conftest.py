import pytest

from dera_rag import DeraForCausalLM
from dera_rag.testing import write_pair


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """A tiny Llama pair with padded embeddings and different ends, loaded by path."""
    folder = tmp_path_factory.mktemp("wrapped")
    return write_pair(folder, padding=(5, 16), eos=([2], [2, 17]), seed=3).load()


@pytest.fixture
def model(pair):
    return DeraForCausalLM.from_pair(pair)
