"""An index on disk: `index.faiss`, `documents.jsonl` and `manifest.json`. No pickle is involved."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dera_rag.errors import DeraRagError, IndexFormatError
from dera_rag.retrieval import sealed
from dera_rag.retrieval.chunking import Chunk, Chunking
from dera_rag.types import Json

if TYPE_CHECKING:
    import faiss

VECTORS, DOCUMENTS = "index.faiss", "documents.jsonl"
FORM = sealed.Form("dera-rag-index", 1, (VECTORS, DOCUMENTS))
# FAISS's header of a flat index: magic, D, N, two unused words, trained, metric, number of floats.
_HEADER = struct.Struct("<4siqqq?iQ")


@dataclass(frozen=True, slots=True)
class Source:
    """A file the index was built from.

    Attributes:
        name: Its name when it was indexed; prefix of its documents' ids.
        sha256: Hash of its bytes.
        complete: Whether all its documents are in the index; False after an interrupted run.
    """

    name: str
    sha256: str
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Stored:
    """Everything an index folder holds.

    Attributes:
        chunks: The passages, in the order of the vectors.
        vectors: FAISS `IndexFlatIP` of `len(chunks)` rows.
        corpus: Name of the corpus; "" if it has none.
        embedder: Name of the embedder that made the vectors.
        chunking: Sizes the passages were cut to.
        sources: Resolved path → the file behind some of the passages.
    """

    chunks: tuple[Chunk, ...]
    vectors: faiss.IndexFlatIP
    corpus: str
    embedder: str
    chunking: Chunking
    sources: Mapping[str, Source]


def write(folder: Path, stored: Stored) -> None:
    """Store an index, replacing the one in the folder.

    Raises:
        IndexFormatError: The folder holds something else.
        OutputError: The folder cannot be written.
    """
    import faiss

    rows = (json.dumps(_row_of(chunk), ensure_ascii=False) for chunk in stored.chunks)
    contents = {
        VECTORS: faiss.serialize_index(stored.vectors).tobytes(),
        DOCUMENTS: "".join(row + "\n" for row in rows).encode(),
    }
    manifest: dict[str, Json] = {
        "corpus": stored.corpus,
        "count": len(stored.chunks),
        "embedder": {"name": stored.embedder, "dimension": stored.vectors.d},
        "chunking": asdict(stored.chunking),
        "sources": {path: asdict(source) for path, source in sorted(stored.sources.items())},
    }
    sealed.write(folder, FORM, manifest, contents)


def read(folder: Path) -> Stored:
    """Read an index back, checking it before any of it is used.

    Raises:
        MissingFileError: No such folder.
        IndexFormatError: No index, another format or version, or files that do not fit together.
    """
    manifest, contents = sealed.read(folder, FORM)
    try:
        return _assemble(manifest, contents)
    except (DeraRagError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        reason = error.message if isinstance(error, DeraRagError) else repr(error)
        raise IndexFormatError(
            f"{str(folder)!r} does not hold what an index holds: {reason}",
            hint="delete the folder and build the index again from its documents",
        ) from error


def _assemble(manifest: Mapping[str, Json], contents: Mapping[str, bytes]) -> Stored:
    """The parts put together.

    Raises:
        IndexFormatError: They do not fit together.
    """
    lines = contents[DOCUMENTS].decode().split("\n")[:-1]
    chunks = tuple(_chunk_of(json.loads(line)) for line in lines)
    embedder = cast("dict[str, Json]", manifest["embedder"])
    sizes = cast("dict[str, int]", manifest["chunking"])
    sources = cast("dict[str, dict[str, Json]]", manifest["sources"])
    vectors = _flat_index(contents[VECTORS], rows=len(chunks), dimension=embedder["dimension"])
    if len({chunk.id for chunk in chunks}) != len(chunks) or manifest["count"] != len(chunks):
        raise IndexFormatError("passage ids repeat or their number differs from the manifest's")
    return Stored(
        chunks,
        vectors,
        corpus=str(manifest["corpus"]),
        embedder=str(embedder["name"]),
        chunking=Chunking(size=sizes["size"], overlap=sizes["overlap"]),
        sources={
            path: Source(str(row["name"]), str(row["sha256"]), row["complete"] is True)
            for path, row in sources.items()
        },
    )


def _flat_index(data: bytes, rows: int, dimension: object) -> faiss.IndexFlatIP:
    """Deserialise, after checking that the bytes can be nothing but `rows` vectors of a flat index.

    FAISS trusts lengths inside the bytes it reads, so they are compared with the true length first.

    Raises:
        IndexFormatError: They are something else.
    """
    import faiss
    import numpy as np

    if len(data) < _HEADER.size:
        raise IndexFormatError(f"{VECTORS} is too short")
    magic, d, total, _, _, trained, metric, size = _HEADER.unpack_from(data)
    expected = (b"IxFI", dimension, rows, True, faiss.METRIC_INNER_PRODUCT, rows * d)
    if (magic, d, total, trained, metric, size) != expected or len(data) != _HEADER.size + 4 * size:
        raise IndexFormatError(f"{VECTORS} is not a flat inner-product index of {rows} rows")
    if not np.isfinite(np.frombuffer(data, dtype="<f4", offset=_HEADER.size)).all():
        raise IndexFormatError(f"{VECTORS} holds numbers that are not finite")
    index = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
    return cast("faiss.IndexFlatIP", index)


def _row_of(chunk: Chunk) -> dict[str, object]:
    return {
        "id": chunk.id,
        "document": chunk.document,
        "source": chunk.source,
        "text": chunk.text,
        "metadata": dict(chunk.metadata),
    }


def _chunk_of(row: dict[str, object]) -> Chunk:
    fields = [row[name] for name in ("id", "document", "text", "source")]
    metadata = row["metadata"]
    strings = [*fields, *metadata, *metadata.values()] if isinstance(metadata, dict) else [None]
    if not all(isinstance(value, str) for value in strings):
        raise IndexFormatError(f"{DOCUMENTS} has a row with other than text in it")
    passage_id, document, text, source = cast("list[str]", fields)
    return Chunk(passage_id, document, text, cast("dict[str, str]", metadata), source)
