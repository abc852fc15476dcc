"""Two models behind one `transformers` model: `generate(..., dera_lambda=)`, beams, pipelines.

Importing this package registers both classes with transformers' Auto classes, so that folders
written by `save_pretrained` load by name.
"""

from dera_rag.decoding.huggingface.cache import PairCache
from dera_rag.decoding.huggingface.causal import DeraForCausalLM
from dera_rag.decoding.huggingface.configuration import DeraConfig, DeraSeq2SeqConfig
from dera_rag.decoding.huggingface.seq2seq import DeraForSeq2SeqLM

__all__ = ["DeraConfig", "DeraForCausalLM", "DeraForSeq2SeqLM", "DeraSeq2SeqConfig", "PairCache"]
