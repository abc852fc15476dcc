import json

import pytest
from letter_embedder import LetterEmbedder

from dera_rag.errors import IndexFormatError, InvalidValueError, MissingFileError
from dera_rag.retrieval import Chunking, VectorIndex, index_paths


@pytest.fixture
def pages(tmp_path):
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "a.txt").write_text("apple")
    (folder / "b.txt").write_text("banana")
    rows = [{"id": f"row{n}", "text": f"row number {n}"} for n in range(3)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def run(paths, out, **settings):
    embedder = LetterEmbedder()
    report = index_paths(paths, out, embedder=embedder, **settings)
    return report, embedder.seen


def held(out):
    return {c.id: c.text for c in VectorIndex.load(out, LetterEmbedder()).chunks}


ALL = {"a.txt": "apple", "b.txt": "banana"} | {f"row{n}": f"row number {n}" for n in range(3)}


def names(files):
    return [file.rsplit("/", 1)[-1] for file in files]


def test_a_new_index(pages, tmp_path):
    report, embedded = run([pages], tmp_path / "out", corpus="fruit")
    assert held(tmp_path / "out") == ALL
    assert names(report.added) == ["a.txt", "b.txt", "rows.jsonl"]
    assert (report.passages, report.embedded, len(embedded)) == (5, 5, 5)
    assert VectorIndex.load(tmp_path / "out", LetterEmbedder()).corpus == "fruit"


def test_unchanged_files_are_skipped(pages, tmp_path):
    run([pages], tmp_path / "out", corpus="fruit")
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    report, embedded = run([pages], tmp_path / "out")
    assert names(report.unchanged) == ["a.txt", "b.txt", "rows.jsonl"]
    assert embedded == []
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before


def test_only_what_changed_is_embedded(pages, tmp_path):
    run([pages], tmp_path / "out")
    (pages / "rows.jsonl").write_text(
        '{"id": "row0", "text": "row number 0"}\n{"id": "row9", "text": "new"}\n'
    )
    (pages / "b.txt").unlink()
    report, embedded = run([pages], tmp_path / "out")
    assert embedded == ["new"]
    assert (names(report.changed), names(report.deleted)) == (["rows.jsonl"], ["b.txt"])
    assert held(tmp_path / "out") == {"a.txt": "apple", "row0": "row number 0", "row9": "new"}


def test_files_from_elsewhere_stay_and_pruning_can_be_left_out(pages, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("elsewhere")
    run([pages, other], tmp_path / "out")
    other.unlink()
    (pages / "b.txt").unlink()
    run([pages], tmp_path / "out", prune=False)
    assert held(tmp_path / "out") == ALL | {"other.txt": "elsewhere"}
    run([pages], tmp_path / "out")
    assert held(tmp_path / "out").keys() == (ALL | {"other.txt": ""}).keys() - {"b.txt"}


def test_a_killed_run_goes_on_where_it_stopped(tmp_path):
    rows = tmp_path / "rows.jsonl"
    count = 2000
    rows.write_text(
        "".join(json.dumps({"id": str(n), "text": f"row {n:b}x"}) + "\n" for n in range(count))
    )

    class Killed(BaseException):
        pass

    def kill(progress):
        if progress.embedded > 1100:
            raise Killed

    with pytest.raises(Killed):
        run([rows], tmp_path / "out", progress=kill)
    part = len(held(tmp_path / "out"))
    assert 512 <= part < count
    report, embedded = run([rows], tmp_path / "out")
    assert len(embedded) == count - part
    assert names(report.changed) == ["rows.jsonl"]
    fresh, _ = run([rows], tmp_path / "fresh")
    assert fresh.embedded == count
    assert held(tmp_path / "out") == held(tmp_path / "fresh")
    again, embedded = run([rows], tmp_path / "out")
    assert names(again.unchanged) == ["rows.jsonl"]


def test_progress_counts_to_the_end(pages, tmp_path):
    seen = []
    run([pages], tmp_path / "out", progress=seen.append)
    assert [p.files_done for p in seen] == sorted(p.files_done for p in seen)
    assert (seen[-1].files_done, seen[-1].files_total, seen[-1].passages) == (3, 3, 5)
    assert seen[-1].embedded == 5


def test_an_index_inside_its_own_folder_is_not_indexed(pages):
    for _ in range(2):
        report, _ = run([pages], pages / "index")
        assert report.passages == 5


def test_another_index_on_the_way_is_no_document(pages, tmp_path):
    run([pages], pages / "older")
    report, _ = run([pages], tmp_path / "new")
    assert names(report.added) == ["a.txt", "b.txt", "rows.jsonl"]
    assert held(tmp_path / "new") == ALL


def test_a_document_may_move_between_files(pages, tmp_path):
    run([pages], tmp_path / "out")
    (pages / "rows.jsonl").write_text('{"id": "row0", "text": "row number 0"}\n')
    (pages / "before.jsonl").write_text('{"id": "row1", "text": "row number 1"}\n')
    run([pages], tmp_path / "out")
    assert held(tmp_path / "out") == {k: ALL[k] for k in ("a.txt", "b.txt", "row0", "row1")}


def test_an_id_of_two_files_names_both(pages, tmp_path):
    run([pages], tmp_path / "out")
    (pages / "more.jsonl").write_text('{"id": "a.txt", "text": "clash"}\n')
    with pytest.raises(InvalidValueError, match=r"'a\.txt' is used twice.*a\.txt.*more\.jsonl"):
        run([pages], tmp_path / "out")
    (pages / "more.jsonl").write_text('{"id": "x", "text": "1"}\n{"id": "x", "text": "2"}\n')
    with pytest.raises(InvalidValueError, match="'x' is used twice"):
        run([pages], tmp_path / "out")
    assert held(tmp_path / "out") == ALL


def test_other_sizes_cut_everything_anew(pages, tmp_path):
    (pages / "a.txt").write_text("one two three four")
    run([pages], tmp_path / "out")
    run([pages], tmp_path / "out", chunking=Chunking(size=10, overlap=0))
    assert {"a.txt#0", "a.txt#1", "b.txt"} <= held(tmp_path / "out").keys()
    report, embedded = run([pages], tmp_path / "out")
    assert embedded == []
    assert len(report.unchanged) == 3


def test_files_without_text_are_reported(pages, tmp_path):
    (pages / "blank.txt").write_text(" \n")
    report, _ = run([pages], tmp_path / "out")
    assert names(report.empty) == ["blank.txt"]


def test_nothing_to_index(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidValueError, match="nothing to index"):
        run([tmp_path / "empty"], tmp_path / "out")
    with pytest.raises(MissingFileError):
        run([tmp_path / "nowhere"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_index_is_refused_before_any_work(pages, tmp_path):
    with pytest.raises(IndexFormatError, match="holds"):
        run([tmp_path / "pages" / "a.txt"], pages)
    run([pages], tmp_path / "out")
    with pytest.raises(IndexFormatError, match="not 'others'"):
        index_paths([pages], tmp_path / "out", embedder=LetterEmbedder("others"))
