"""One KV cache per branch: prefill and steps against full forwards, rows leaving and copied."""

import random

import pytest
import torch

from dera_rag.errors import InvalidValueError
from dera_rag.pairs.cache import HISTORY, GrowingLayer, GrowingWindowLayer, new_cache
from dera_rag.protocols import Branches, DraftingSession, JoiningSession
from dera_rag.testing import SHAPES, cache_free_logits, write_pair

PROMPTS = [[40, 41, 42, 43, 44], [50], [60, 61, 62] * 6]
ENGINES = ["generic", "lean"]
R, A, BOTH = Branches.REFERENCE, Branches.ALIGNED, Branches.BOTH


def load(folder, shape="llama", engine="generic", **settings):
    engine = "auto" if engine == "lean" else engine
    return write_pair(folder, shape, **settings).load(engine=engine)


def close(logits, pair, sequences, lam):
    expected = torch.stack([cache_free_logits(pair, ids, lam) for ids in sequences])
    torch.testing.assert_close(logits, expected, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", SHAPES)
def test_prefill_and_steps_equal_full_forwards(shape, engine, tmp_path):
    """Left padding, positions and the Mistral window of 12 tokens leave every row as alone."""
    pair = load(tmp_path, shape, engine, padding=(0, 7))
    session = pair.start(PROMPTS, [BOTH, R, A])
    sequences = [list(prompt) for prompt in PROMPTS]
    logits = session.prefill()
    for step in range(16):
        assert logits.reference.dtype is torch.float32
        close(logits.reference, pair, [sequences[0], sequences[1]], 0.0)
        close(logits.aligned, pair, [sequences[0], sequences[2]], 1.0)
        tokens = [70 + step, 80 + step, 90 + step]
        for row, token in zip(sequences, tokens, strict=True):
            row.append(token)
        logits = session.step(tokens)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", ["llama", "mistral", "gpt2"])
def test_rows_leave_and_are_copied(shape, engine, tmp_path):
    pair = load(tmp_path, shape, engine)
    session = pair.start(PROMPTS, [BOTH, R, BOTH])
    session.prefill()
    session.step([70, 71, 72])
    session.select([2, 0, 2])
    logits = session.step([80, 81, 82])
    rows = [[*PROMPTS[2], 72, 80], [*PROMPTS[0], 70, 81], [*PROMPTS[2], 72, 82]]
    close(logits.reference, pair, rows, 0.0)
    close(logits.aligned, pair, rows, 1.0)
    session.select([1])
    logits = session.step([83])
    close(logits.aligned, pair, [[*rows[1], 83]], 1.0)


def test_a_branch_whose_rows_have_left_runs_no_more(tmp_path):
    pair = write_pair(tmp_path).load()
    session = pair.start(PROMPTS, [R, A, A])
    session.prefill()
    session.select([1, 2])
    logits = session.step([70, 71])
    assert logits.reference is None
    close(logits.aligned, pair, [[*PROMPTS[1], 70], [*PROMPTS[2], 71]], 1.0)


class Book:
    """What a session's rows hold, kept beside it as plain lists."""

    def __init__(self, pair, prompts, branches):
        self.pair, self.rows, self.branches = pair, [list(p) for p in prompts], list(branches)
        self.session = pair.start(prompts, branches)

    def check(self, logits, rows, depth=1):
        """Logits after each of the last `depth` tokens of some rows, against full forwards."""
        for branch, found, lam in ((R, logits.reference, 0.0), (A, logits.aligned, 1.0)):
            own = [row for row in rows if branch in self.branches[row]]
            if not own:
                assert found is None
                continue
            after = found if found.ndim == 3 else found.unsqueeze(1)
            assert after.shape[:2] == (len(own), depth)
            for i, row in enumerate(own):
                ids = self.rows[row]
                for j in range(depth):
                    cut = len(ids) - (depth - 1 - j)
                    expected = cache_free_logits(self.pair, ids[:cut], lam)
                    torch.testing.assert_close(after[i, j], expected, atol=2e-4, rtol=1e-4)

    def extend(self, tokens):
        for row, ids in zip(self.rows, tokens, strict=True):
            row.extend(ids)
        self.check(self.session.extend(tokens), range(len(self.rows)), len(tokens[0]))

    def crop(self, counts):
        self.session.crop(counts)
        self.rows = [row[: len(row) - n] for row, n in zip(self.rows, counts, strict=True)]

    def select(self, kept):
        self.session.select(kept)
        self.rows = [list(self.rows[row]) for row in kept]
        self.branches = [self.branches[row] for row in kept]

    def join(self, prompts, branches):
        first = len(self.rows)
        self.rows += [list(prompt) for prompt in prompts]
        self.branches += branches
        self.check(self.session.join(prompts, branches), range(first, len(self.rows)))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", SHAPES)
def test_drafts_are_read_at_once_and_taken_back(shape, engine, tmp_path):
    """Rows give back different counts, across the Mistral window of 12 tokens."""
    pair = load(tmp_path, shape, engine)
    book = Book(pair, PROMPTS, [BOTH, R, BOTH])
    assert isinstance(book.session, DraftingSession)
    book.check(book.session.prefill(), range(3))
    book.extend([[70, 71, 72, 73], [80, 81, 82, 83], [90, 91, 92, 93]])
    book.crop([3, 0, 1])
    book.extend([[60, 61], [62, 63], [64, 65]])
    book.crop([1, 1, 1])
    book.extend([[74], [75], [76]])
    book.select([2, 1, 2, 0])
    book.extend([[i + 40, i + 50, i + 60] for i in range(4)])
    book.crop([0, 3, 1, 2])
    book.extend([[41], [42], [43], [44]])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_join_others_under_way(shape, engine, tmp_path):
    pair = load(tmp_path, shape, engine, padding=(0, 7))
    book = Book(pair, PROMPTS[:1], [A])
    assert isinstance(book.session, JoiningSession)
    book.check(book.session.prefill(), range(1))
    book.extend([[70]])
    book.join([PROMPTS[2], PROMPTS[1], PROMPTS[2]], [BOTH, R, A])
    book.extend([[71], [72], [73], [74]])
    book.crop([0, 1, 0, 1])
    book.join([[45, 46]], [BOTH])
    book.extend([[75, 76]] * 5)
    book.select([])
    book.join(PROMPTS[1:], [R, A])
    book.extend([[77], [78]])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", SHAPES)
def test_any_order_of_operations(shape, engine, tmp_path, cases):
    pair = load(tmp_path, shape, engine)
    for case in range(cases(3, 40)):
        random_walk(pair, random.Random(case))


def random_walk(pair, rng):
    def prompt():
        return [rng.randrange(40, 300) for _ in range(rng.choice([1, 3, 9, 20]))]

    def needs(count):
        return [rng.choice([R, A, BOTH, BOTH]) for _ in range(count)]

    count = rng.randint(1, 3)
    book = Book(pair, [prompt() for _ in range(count)], needs(count))
    book.check(book.session.prefill(), range(count))
    appended = [0] * count
    for _ in range(8):
        deed = rng.choice(["extend", "extend", "crop", "select", "join"])
        if deed == "extend":
            k = rng.randint(1, 4)
            book.extend([[rng.randrange(40, 300) for _ in range(k)] for _ in book.rows])
            appended = [n + k for n in appended]
        elif deed == "crop":
            counts = [rng.randint(0, n) for n in appended]
            book.crop(counts)
            appended = [n - x for n, x in zip(appended, counts, strict=True)]
        elif deed == "select":
            kept = [rng.randrange(len(book.rows)) for _ in range(rng.randint(1, 4))]
            book.select(kept)
            appended = [appended[row] for row in kept]
        else:
            count = rng.randint(1, 2)
            book.join([prompt() for _ in range(count)], needs(count))
            appended += [0] * count
    book.extend([[55]] * len(book.rows))


def test_idle_columns_are_dropped(tmp_path):
    """The longest row leaves: what is left is as wide as it needs to be."""
    pair = load(tmp_path, "mistral", positions=512)
    book = Book(pair, [[50] * 200, [51, 52]], [BOTH, A])
    book.session.prefill()
    book.select([1])
    book.extend([[53]])
    rows = book.session._rows[A]
    assert rows._mask.shape == (1, 3)


def test_windows_give_back_no_more_than_they_keep(tmp_path):
    pair = load(tmp_path, "mistral", positions=1024)
    book = Book(pair, [[50], [51]], [A, A])
    book.session.prefill()
    for _ in range(3):
        book.session.extend([list(range(40, 40 + HISTORY))] * 2)
    with pytest.raises(InvalidValueError, match="sliding windows keep"):
        book.session.crop([HISTORY + 1, 0])
    book.rows = [[start, *list(range(40, 40 + HISTORY)) * 3] for start in (50, 51)]
    book.crop([HISTORY, 3])
    book.extend([[60], [61]])


@pytest.mark.parametrize(
    ("deed", "values"), [("extend", [[1], [1, 2]]), ("crop", [1]), ("crop", [1, -1])]
)
def test_misuse_is_refused(deed, values, tmp_path):
    session = write_pair(tmp_path).load().start([[50], [51]], [A, A])
    session.prefill()
    with pytest.raises(InvalidValueError):
        getattr(session, deed)(values)


class TestGrowingLayer:
    def states(self, seed, length, rows=2):
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(rows, 3, length, 4, generator=generator)

    def test_appends_like_the_layer_it_replaces(self):
        layer, parts = GrowingLayer(), []
        for seed, length in enumerate([5, 1, 1, 200, 1]):
            parts.append(self.states(seed, length))
            keys, values = layer.update(parts[-1], -parts[-1])
            assert torch.equal(keys, torch.cat(parts, dim=-2))
            assert torch.equal(values, -torch.cat(parts, dim=-2))
        assert layer.get_seq_length() == 208

    def test_grows_in_place(self):
        layer = GrowingLayer()
        layer.update(self.states(0, 5), self.states(0, 5))
        place = layer.keys.data_ptr()
        for _ in range(50):
            layer.update(self.states(1, 1), self.states(1, 1))
        assert layer.keys.data_ptr() == place

    def test_selecting_and_cropping_start_from_what_is_left(self):
        layer = GrowingLayer()
        first, second = self.states(0, 5), self.states(1, 1, rows=1)
        layer.update(first, first)
        layer.batch_select_indices(torch.tensor([1]))
        layer.crop(-2)
        keys, _ = layer.update(second, second)
        assert torch.equal(keys, torch.cat([first[1:, :, :3], second], dim=-2))

    def test_windows_keep_their_kind(self, tmp_path):
        llama, mistral = (
            write_pair(tmp_path / shape, shape).load().aligned.config
            for shape in ("llama", "mistral")
        )
        assert {type(layer) for layer in new_cache(llama).layers} == {GrowingLayer}
        assert {type(layer) for layer in new_cache(mistral).layers} == {GrowingWindowLayer}


@pytest.mark.gpu
def test_branches_on_two_devices(tmp_path):
    from dera_rag import DeraDecoder, ModelPair, Sampling

    folders = write_pair(tmp_path)
    cpu = folders.load(device="cpu")
    gpu = folders.load(device="cuda")
    split = ModelPair.from_pretrained(
        reference=(cpu.reference, cpu.tokenizer), aligned=(gpu.aligned, gpu.tokenizer)
    )
    for sampling in (
        Sampling(temperature=0.0, max_new_tokens=12),
        Sampling(seed=3, repetition_penalty=1.2, top_p=0.9, max_new_tokens=12),
    ):
        answers = [
            [
                answer.token_ids
                for answer in DeraDecoder(pair).generate(PROMPTS, [0, 0.7, 1.6], sampling)
            ]
            for pair in (cpu, gpu, split)
        ]
        assert answers[0] == answers[1] == answers[2]
