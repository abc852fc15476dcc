"""However a run is stopped, what resume leaves is what an uninterrupted run leaves, to the byte."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
from evaluation_suites import read, tiny, write_questions, write_suite

from dera_rag.errors import DeraRagError, InvalidValueError, OutputError, RunFolderError
from dera_rag.evaluation.report import diff
from dera_rag.evaluation.runner import rescore, resume, run
from dera_rag.evaluation.runner.storage import Appender, Stored, dumped, locked, whole_lines

DRIVER = Path(__file__).parents[1] / "kill_driver.py"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def finished(pair, tmp_path_factory):
    """A suite and the folder of a run of it; copy before changing anything."""
    folder = tmp_path_factory.mktemp("finished")
    suite = write_suite(folder, pair)
    run(suite, folder / "run", workers=0)
    return suite, folder / "run"


@pytest.mark.parametrize("answers", ["grid", "path"])
@pytest.mark.parametrize("way", ["bytes", "time", "full"])
def test_any_end_then_resume_gives_the_same_bytes(way, answers, pair, tmp_path, cases):
    lam = [0, 2] if answers == "path" else [0, 0.5, 1]
    suite = write_suite(tmp_path, pair, answers=answers, lam=lam)
    count = cases(12, 150) if way != "time" else cases(5, 60)
    arguments = [suite, tmp_path, way, 7, count]
    ran = subprocess.run(
        [sys.executable, DRIVER, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    # A driver that stops nothing would prove nothing.
    assert int(ran.stdout) >= count / 2


@pytest.mark.parametrize("name", ["generations.jsonl", "scores.jsonl"])
def test_a_torn_last_line_is_cut_and_logged(name, finished, tmp_path, caplog):
    _suite, whole = finished
    copy = copied(whole, tmp_path)
    data = (whole / name).read_bytes()
    (copy / name).write_bytes(data[: len(data) - 40])
    resume(copy, workers=0)
    assert (copy / name).read_bytes() == data
    assert "cut" in caplog.text
    assert name in caplog.text


def test_what_is_whole_is_not_done_again(finished, tmp_path):
    _suite, whole = finished
    copy = copied(whole, tmp_path)
    made = resume(copy, workers=0)
    assert made.skipped == made.questions == 5
    assert made.tokens == 0


def test_lost_scores_are_made_from_the_stored_answers(finished, tmp_path, monkeypatch):
    _suite, whole = finished
    copy = copied(whole, tmp_path)
    (copy / "scores.jsonl").unlink()
    forbid_models(monkeypatch)
    assert resume(copy, workers=0).tokens == 0
    assert (copy / "scores.jsonl").read_bytes() == (whole / "scores.jsonl").read_bytes()


def test_rescoring_repeats_the_bytes_and_loads_no_pair(finished, tmp_path, monkeypatch):
    _suite, whole = finished
    copy = copied(whole, tmp_path)
    forbid_models(monkeypatch)
    rescore(copy, workers=0)
    assert (copy / "scores.jsonl").read_bytes() == (whole / "scores.jsonl").read_bytes()


def test_other_scorers_keep_the_earlier_scores(finished, tmp_path, pair, monkeypatch):
    suite, whole = finished
    copy = copied(whole, tmp_path)
    other = write_suite(suite.parent, pair, scorers=["copy_rate", "slot_error_rate"])
    forbid_models(monkeypatch)
    rescore(copy, suite=other, workers=0)
    before = json.loads((whole / "manifest.json").read_text("utf-8"))["scoring"]
    kept = copy / f"scores-{before}.jsonl"
    assert kept.read_bytes() == (whole / "scores.jsonl").read_bytes()
    for row in read(copy):
        assert row["scores"]["slot_error_rate"] is None
        assert row["unscored"]["slot_error_rate"] == "no record"
    write_suite(suite.parent, pair)


def test_a_folder_without_a_manifest_says_to_run_again(tmp_path):
    (tmp_path / "generations.jsonl").write_text("{}\n")
    with pytest.raises(RunFolderError, match="eval run"):
        resume(tmp_path)
    for go_on in (resume, rescore):
        with pytest.raises(RunFolderError, match="check the path"):
            go_on(tmp_path / "nowhere")
        with pytest.raises(RunFolderError, match="nothing was begun"):
            go_on(tmp_path)
    # What is no run's folder is left as it was, without a lock in it.
    assert [path.name for path in tmp_path.iterdir()] == ["generations.jsonl"]


def test_the_manifest_is_there_before_any_model_loads(pair, tmp_path, monkeypatch):
    suite = write_suite(tmp_path, pair)
    seen = []

    def load(self, folder):
        seen.append((tmp_path / "run" / "manifest.json").exists())
        raise RunFolderError("no model in this test")

    monkeypatch.setattr("dera_rag.evaluation.suites.PairSource.load", load)
    with pytest.raises(RunFolderError, match="no model"):
        run(suite, tmp_path / "run", workers=0)
    assert seen == [True]


def test_a_run_is_not_begun_over_another(finished):
    suite, whole = finished
    with pytest.raises(RunFolderError, match="eval resume"):
        run(suite, whole)


def test_a_run_that_never_answered_may_be_begun_anew(finished, tmp_path):
    suite, whole = finished
    copy = copied(whole, tmp_path)
    for name in ("generations.jsonl", "scores.jsonl"):
        (copy / name).write_text("")
    assert run(suite, copy, workers=0).skipped == 0
    assert (copy / "scores.jsonl").read_bytes() == (whole / "scores.jsonl").read_bytes()


def test_rescoring_an_unfinished_run_is_refused(finished, tmp_path, monkeypatch):
    _suite, whole = finished
    copy = copied(whole, tmp_path)
    lines = (whole / "generations.jsonl").read_bytes().splitlines(keepends=True)
    (copy / "generations.jsonl").write_bytes(b"".join(lines[:-1]))
    forbid_models(monkeypatch)
    before = (copy / "scores.jsonl").read_bytes()
    with pytest.raises(RunFolderError, match=r"1 of \d+ batches have no answers.*resume"):
        rescore(copy, workers=0)
    assert (copy / "scores.jsonl").read_bytes() == before


def test_a_folder_has_one_run_at_a_time(finished):
    _suite, whole = finished
    with locked(whole), pytest.raises(RunFolderError, match="another run holds"):
        resume(whole)


def test_a_folder_that_cannot_be_used_is_an_error_of_this_package(finished, tmp_path, monkeypatch):
    suite, _whole = finished
    (tmp_path / "file").write_text("mine")
    for wrong in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match=r"cannot write .*file.*name a place"):
            run(suite, wrong, workers=0)
    (tmp_path / "rows.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"rows\.jsonl"):
        Appender(tmp_path / "rows.jsonl", 0)

    def no_locks(handle, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("dera_rag.evaluation.runner.storage.fcntl.flock", no_locks)
    with pytest.raises(RunFolderError, match=r"cannot lock .*No locks available.*local disk"):
        run(suite, tmp_path / "run", workers=0)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({"tasks": {"mine": {"task": "own", "questions": "bad.jsonl"}}}, {".lock"}),
        ({"pair": {"reference": "no/such", "aligned": "no/such"}}, None),
    ],
)
def test_a_start_that_failed_does_not_block_the_next(change, left, pair, tmp_path):
    suite, folder = write_suite(tmp_path, pair), tmp_path / "run"
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "bad.jsonl").write_text('{"user_input": ""}\n')
    with pytest.raises(DeraRagError, match=r"user_input|no/such"):
        run(write_suite(tmp_path / "bad", pair, **change), folder, workers=0)
    assert left is None or {path.name for path in folder.iterdir()} == left
    assert run(suite, folder, workers=0).questions == 5


def test_a_run_keeps_what_a_policy_file_held(pair, tmp_path):
    suite = write_suite(tmp_path, pair, policies=["fast.yaml"])
    (tmp_path / "fast.yaml").write_text("policy: constant\nlam: 1.25\n")
    run(suite, tmp_path / "old", workers=0)
    whole = (tmp_path / "old" / "generations.jsonl").read_bytes()
    (tmp_path / "fast.yaml").write_text("policy: constant\nlam: 0.25\n")
    # A run that is resumed goes on with the policy it was begun with, to the same bytes.
    (tmp_path / "old" / "generations.jsonl").write_bytes(whole[:-40])
    resume(tmp_path / "old", workers=0)
    assert (tmp_path / "old" / "generations.jsonl").read_bytes() == whole
    run(suite, tmp_path / "new", workers=0)
    found = diff(tmp_path / "old", tmp_path / "new", n_resamples=100).settings
    assert [(one.setting, one.before, one.after) for one in found] == [
        (
            "policies.fast",
            '{"policy": "constant", "lam": 1.25}',
            '{"policy": "constant", "lam": 0.25}',
        )
    ]


def test_a_suite_that_rescores_may_lie_elsewhere(finished, tmp_path, pair, monkeypatch):
    suite, whole = finished
    copy = copied(whole, tmp_path)
    tasks = {"mine": {"task": "own", "questions": "asked/questions.jsonl"}}
    (tmp_path / "asked").mkdir()
    write_questions(tmp_path / "asked")
    other = write_suite(tmp_path, pair, tasks=tasks, scorers=["length"])
    monkeypatch.chdir(suite.parent)
    forbid_models(monkeypatch)
    assert rescore(copy, suite=other, workers=0).questions == 5
    assert {tuple(row["scores"]) for row in read(copy)} == {("length",)}
    # From now on the run's suite is that one.
    assert resume(copy, workers=0).skipped == 5


def test_resume_refuses_other_questions_and_other_weights(pair, tmp_path):
    suite = write_suite(tmp_path, pair)
    run(suite, tmp_path / "run", workers=0)
    write_questions(tmp_path, more="than before")
    with pytest.raises(InvalidValueError, match="not those the run was begun with"):
        resume(tmp_path / "run")
    write_questions(tmp_path)
    config = pair.aligned / "config.json"
    text = config.read_text()
    try:
        config.write_text(text + "\n")
        with pytest.raises(InvalidValueError, match=r"weights.*aligned"):
            resume(tmp_path / "run")
    finally:
        config.write_text(text)


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    import os

    path = tmp_path / "rows.jsonl"
    file = Appender(path, 0)
    file.append(['{"a":1}'])
    write = os.pwrite

    def some(handle, data, at):
        if at > 8:
            raise OSError(28, "No space left on device")
        return write(handle, data[:1], at)

    monkeypatch.setattr(os, "pwrite", some)
    with pytest.raises(RunFolderError, match=r"No space left.*resume"):
        file.append(['{"b":2}'])
    file.close()
    assert path.read_text() == '{"a":1}\n'


@pytest.mark.parametrize("tail", [b'{"b":', b"[1]\n", b"\xff\n", b'{"b":2}'])
def test_only_whole_rows_count(tail, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a":1}\n' + tail)
    assert whole_lines(path) == 8
    stored = Stored(path)
    assert stored.take(1, lambda i, row: row == {"a": 1}) == ['{"a":1}']
    assert stored.take(1, lambda i, row: True) is None
    assert stored.size == 8


def test_rows_have_six_digits_and_no_nan():
    row = {"x": 0.12345678, "y": [float("nan"), -0.0, 1e-9, True, 3], "z": {"λ": float("inf")}}
    assert dumped(row) == '{"x":0.123457,"y":[null,0.0,0.0,true,3],"z":{"λ":null}}'


@pytest.mark.slow
def test_workers_give_the_same_bytes_and_end_with_their_parent(pair, tmp_path):
    import os
    import signal
    import time

    suite = write_suite(tmp_path, pair)
    run(suite, tmp_path / "one", workers=0)
    code = (
        "import sys; from dera_rag.evaluation.runner import run\n"
        "if __name__ == '__main__': run(sys.argv[1], sys.argv[2], workers=2)"
    )
    script = tmp_path / "main.py"
    script.write_text(code)
    child = subprocess.Popen([sys.executable, script, suite, tmp_path / "two"])
    deadline = time.monotonic() + 120
    while not (workers := children(child.pid)) and time.monotonic() < deadline:
        os.sched_yield()
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert workers
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        os.sched_yield()
    assert not any(alive(pid) for pid in workers)
    resume(tmp_path / "two", workers=2)
    for name in ("generations.jsonl", "scores.jsonl"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def children(pid):
    """Processes that a process started, from /proc."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"


def copied(whole, tmp_path):
    import shutil

    return Path(shutil.copytree(whole, tmp_path / "copy"))


def forbid_models(monkeypatch):
    def load(self, folder):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("dera_rag.evaluation.suites.PairSource.load", load)
