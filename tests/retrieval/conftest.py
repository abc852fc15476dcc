import pytest
from letter_embedder import LetterEmbedder


@pytest.fixture
def letters() -> LetterEmbedder:
    return LetterEmbedder()
