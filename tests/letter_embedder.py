"""A transparent embedder: one axis per letter, so cosines can be worked out by hand."""

import string
from collections.abc import Sequence

import numpy as np


class LetterEmbedder:
    """Counts of a–z, normalised; remembers every text it was given."""

    dimension = 26

    def __init__(self, name: str = "letters") -> None:
        self.name = name
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.seen += texts
        counts = [
            [text.lower().count(letter) for letter in string.ascii_lowercase] for text in texts
        ]
        rows = np.asarray(counts, dtype=np.float32).reshape(len(texts), 26)
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(norms == 0, 1, norms)
