"""The decode loop, and everything that turns a pair's logits into answers."""

from dera_rag.decoding.decoder import DeraDecoder
from dera_rag.decoding.trace import TraceMode, check_trace

__all__ = ["DeraDecoder", "TraceMode", "check_trace"]
