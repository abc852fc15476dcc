"""Tiny pairs, oracles and contract checks for whoever writes a pair backend.

Nothing here is downloaded. The checks raise `AssertionError` and need no test framework.
"""

from dera_rag.testing.contract import check_pair_contract
from dera_rag.testing.oracles import (
    TIE,
    assert_same_tokens,
    cache_free_greedy,
    cache_free_logits,
    hugging_face_greedy,
)
from dera_rag.testing.scripted import ScriptedPair
from dera_rag.testing.tiny import (
    SHAPES,
    Shape,
    TinyPair,
    TokenizerKind,
    tiny_model,
    tiny_tokenizer,
    write_pair,
)

__all__ = [
    "SHAPES",
    "TIE",
    "ScriptedPair",
    "Shape",
    "TinyPair",
    "TokenizerKind",
    "assert_same_tokens",
    "cache_free_greedy",
    "cache_free_logits",
    "check_pair_contract",
    "hugging_face_greedy",
    "tiny_model",
    "tiny_tokenizer",
    "write_pair",
]
