"""Calls of every kind from sixteen threads, in a process of their own; prints what came of them.

python tests/mixed_calls.py table|lean FOLDER COUNT
"""

import asyncio
import ctypes
import gc
import json
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from langchain_core.tools import tool
from pydantic import BaseModel

from dera_rag.langchain import ChatDeRa, DeRaLLM
from dera_rag.testing import TablePair, tiny_tokenizer, write_pair

TEMPLATE = (
    "{% for t in tools or [] %}{{ t | tojson }}{% endfor %}{% for m in messages %}"
    "<|user|>{{ m.role }}: {{ m.content }}</s>{% endfor %}<|user|>assistant:"
)
# Kinds of calls, and as many settings of each.
KINDS, SETTINGS = 10, 12


class Place(BaseModel):
    """A place."""

    open: bool
    stars: int


@tool
def look(at: str) -> str:
    """Look."""
    return at


def resident():
    """Bytes of memory this process holds, without what its allocator keeps free for later.

    1 where the system does not say.
    """
    if hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)
    file = Path("/proc/self/statm")
    return int(file.read_text().split()[1]) * resource.getpagesize() if file.exists() else 1


class Calls:
    """Call number i, always the same; what it answers as text."""

    def __init__(self, pair):
        self.model = ChatDeRa(pair=pair, max_tokens=8)
        self.completing = DeRaLLM(pair=pair, max_tokens=8)

    def __call__(self, i):
        which = i // KINDS % SETTINGS
        call = {
            "seed": which,
            "dera_lambda": (0.0, 0.5, 1.0, "auto")[which % 4],
            "temperature": (0.0, 1.0, 1.5)[which % 3],
            "stop": ["zz"],
        }
        talk = f"What is number {which}, {'and ' * (which % 5)}why?"
        return getattr(self, f"kind_{i % KINDS}")(talk, call)

    def kind_0(self, talk, call):
        return self.model.invoke(talk, **call).content

    def kind_1(self, talk, call):
        return "".join(chunk.content for chunk in self.model.stream(talk, **call))

    def kind_2(self, talk, call):
        stream = self.model.stream(talk, **(call | {"max_tokens": 60}))
        next(stream)
        stream.close()
        return "abandoned"

    def kind_3(self, talk, call):
        return asyncio.run(self.model.ainvoke(talk, **call)).content

    def kind_4(self, talk, call):
        return self.model.batch([talk, talk + "!"], **call)[1].content

    def kind_5(self, talk, call):
        answer = self.model.with_structured_output(Place).invoke(talk, **call, max_tokens=50)
        return answer.model_dump_json()

    def kind_6(self, talk, call):
        bound = self.model.bind_tools([look], tool_choice="any")
        return str(bound.invoke(talk, **call, max_tokens=100).tool_calls[0]["args"])

    def kind_7(self, talk, call):
        answer = self.model.invoke(talk, **call, logprobs=True, top_logprobs=3)
        return answer.content + str(len(answer.response_metadata["logprobs"]["content"]))

    def kind_8(self, talk, call):
        evidence = [{"id": "a", "text": f"- name: {talk}", "relevance_score": 0.4}]
        return self.model.invoke(talk, **call, dera_evidence=evidence).content

    def kind_9(self, talk, call):
        async def cancelled():
            task = asyncio.create_task(self.model.ainvoke(talk, **(call | {"max_tokens": 60})))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(cancelled())
        return self.completing.invoke(talk, **call)


def main(kind, folder, count):
    """Warm up, measure, call, measure, and ask again one by one."""
    if kind == "table":
        pair = TablePair(tiny_tokenizer("plain"))
        pair.chat_template = TEMPLATE
    else:
        saved = write_pair(Path(folder), positions=1024)
        pair = saved.load(engine="lean", chat_template=TEMPLATE, prefix_cache=1_000_000)
    ask, period = Calls(pair), min(count, KINDS * SETTINGS)

    def ended():
        """Whether the decoding thread ends once there is nothing to do."""
        thread = ask.model.engine._thread
        if thread is not None:
            thread.join(60)
        return thread is None or not thread.is_alive()

    def measured():
        """Bytes held once the decoding thread is gone, and with it what a library keeps for it."""
        ended()
        if kind == "table":
            pair.sessions.clear()  # it remembers them for tests
        gc.collect()
        return resident()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(2 * KINDS * SETTINGS)))  # what is made once is made
        before = measured()
        answers = list(pool.map(ask, range(count)))
        after = measured()
    alone = [ask(i) for i in range(period)]
    told = {
        "before": before,
        "after": after,
        "answers": len(answers),
        "different": len(set(answers)),
        "disturbed": [i for i in range(count) if answers[i] != alone[i % period]],
        "running": not ended(),
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
