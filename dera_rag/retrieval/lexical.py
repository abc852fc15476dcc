"""BM25 over the passages, through bm25s."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "‘": "'", "`": "'"})
# bm25s' own pattern drops words of one letter.
_WORD = r"(?u)\b\w+\b"
_POSSESSIVE = re.compile(r"'s\b")


def normalise(text: str) -> str:
    """Lower case without accents, apostrophes and possessive endings.

    "Café" meets "cafe", "O'Malley" meets "O’Malley", and the place in "the Kettle's area" is the
    Kettle.
    """
    decomposed = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES).casefold())
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _POSSESSIVE.sub("", plain).replace("'", "")


def tokenize(texts: Sequence[str]) -> list[list[str]]:
    """Words of each text, English stop words left out; a text may have none."""
    import bm25s

    tokens = bm25s.tokenize(
        [normalise(text) for text in texts],
        lower=False,
        token_pattern=_WORD,
        stopwords="en",
        return_ids=False,
        show_progress=False,
        allow_empty=False,
    )
    # A text without words comes back as one empty word, which bm25s then cannot look up.
    return [[word for word in words if word] for words in tokens]


class BM25:
    """BM25 scores of questions against a fixed list of texts (k1 = 1.5, b = 0.75, Lucene's idf).

    Args:
        texts: The passages; order gives the positions in `scores`.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        import bm25s

        tokens = tokenize(texts)
        self._count = len(tokens)
        # bm25s divides by the mean length: with no word at all there is nothing to index.
        self._engine = bm25s.BM25() if any(tokens) else None
        if self._engine is not None:
            self._engine.index(tokens, show_progress=False)

    def scores(self, question: str) -> np.ndarray:
        """`[len(texts)]` float32, ≥ 0, higher is better; 0 where no word is shared."""
        import numpy as np

        words = tokenize([question])[0]
        if self._engine is None or not words:
            return np.zeros(self._count, dtype=np.float32)
        return np.asarray(self._engine.get_scores(words), dtype=np.float32)
