"""The decode loop, and everything that turns a pair's logits into answers."""

from dera_rag.decoding.contrast import AdaCad, Cocoa, LogRatio, cad
from dera_rag.decoding.decoder import DeraDecoder
from dera_rag.decoding.mixer import LinearMixer
from dera_rag.decoding.path import BranchLogprobs, LambdaPath, PathSegment
from dera_rag.decoding.speculation import SpeculationMode
from dera_rag.decoding.trace import TraceMode, check_trace

__all__ = [
    "AdaCad",
    "BranchLogprobs",
    "Cocoa",
    "DeraDecoder",
    "LambdaPath",
    "LinearMixer",
    "LogRatio",
    "PathSegment",
    "SpeculationMode",
    "TraceMode",
    "cad",
    "check_trace",
]
