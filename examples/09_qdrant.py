"""The same chain on Qdrant: the server at QDRANT_URL if that is set, else in this process."""

import os
import uuid

from langchain_core.documents import Document
from langchain_qdrant import QdrantVectorStore
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

from dera_rag import VectorIndex
from dera_rag.langchain import ChatDeRa, DeRaEmbeddings, ScoredRetriever, create_dera_rag_chain

url = os.environ.get("QDRANT_URL")
client = QdrantClient(url=url) if url else QdrantClient(":memory:")
embeddings = DeRaEmbeddings()
collection = f"dera-rag-example-{uuid.uuid4()}"
size = len(embeddings.embed_query("a"))
client.create_collection(collection, VectorParams(size=size, distance=Distance.COSINE))
try:
    store = QdrantVectorStore(client, collection, embeddings)
    chunks = VectorIndex.embedded().chunks
    # What citations and the policy read travels with each document.
    store.add_documents(
        [Document(c.text, metadata={"id": c.id, "corpus": "venues"}) for c in chunks]
    )
    # Qdrant's relevance is (1 + cosine) / 2; the policy was fitted to cosines.
    retriever = ScoredRetriever(source=store, k=3, embeddings=embeddings)
    chain = create_dera_rag_chain(retriever, ChatDeRa.embedded(seed=7, max_tokens=64))
    name = chunks[0].text.splitlines()[0].removeprefix("- name: ")
    out = chain.invoke({"input": f"What is {name} like?"})
    print(f"{'server' if url else 'in process'}, {client.count(collection).count} passages")
    scores = [round(document.metadata["relevance_score"], 2) for document in out["context"]]
    print(f"{out['input']}\n{out['answer']}\n    scores {scores}, cites {out['citations']}")
    print(f"    {out['dera']['reason']}")
finally:
    client.delete_collection(collection)
    client.close()
