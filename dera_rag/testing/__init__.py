"""Tiny pairs, oracles and contract checks for whoever writes a pair backend.

Nothing here is downloaded. The checks raise `AssertionError` and need no test framework.
"""

from dera_rag.testing.adapters import write_adapter
from dera_rag.testing.contract import check_pair_contract
from dera_rag.testing.notebook import ReferenceProcessor, notebook_generate, until_stop
from dera_rag.testing.oracles import (
    TIE,
    assert_same_tokens,
    cache_free_greedy,
    cache_free_logits,
    hugging_face_greedy,
)
from dera_rag.testing.scripted import ScriptedPair
from dera_rag.testing.sessions import check_session_contract
from dera_rag.testing.shapes import ENCODER_DECODERS, SHAPES, SLIDING, Shape, tiny_model
from dera_rag.testing.table import TablePair
from dera_rag.testing.tiny import (
    TinyPair,
    TokenizerKind,
    tiny_tokenizer,
    write_pair,
)

__all__ = [
    "ENCODER_DECODERS",
    "SHAPES",
    "SLIDING",
    "TIE",
    "ReferenceProcessor",
    "ScriptedPair",
    "Shape",
    "TablePair",
    "TinyPair",
    "TokenizerKind",
    "assert_same_tokens",
    "cache_free_greedy",
    "cache_free_logits",
    "check_pair_contract",
    "check_session_contract",
    "hugging_face_greedy",
    "notebook_generate",
    "tiny_model",
    "tiny_tokenizer",
    "until_stop",
    "write_adapter",
    "write_pair",
]
