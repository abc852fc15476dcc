import pytest

from dera_rag import DeraDecoder
from dera_rag.testing import write_pair


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """A tiny Llama pair, loaded by path."""
    return write_pair(tmp_path_factory.mktemp("pair")).load()


@pytest.fixture(scope="session")
def decoder(pair):
    return DeraDecoder(pair)
