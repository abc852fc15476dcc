"""`dera-rag index`: what it says about a folder that grows and shrinks."""

import json


def said(result):
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_new_unchanged_and_deleted(run, tmp_path):
    notes, out = tmp_path / "notes", tmp_path / "index"
    notes.mkdir()
    (notes / "a.txt").write_text("The kettle is made of copper.")
    (notes / "b.md").write_text("# Warranty\n\nIt lasts two years.")
    first = said(run("index", notes, "--out", out, "--corpus", "notes"))
    assert first[0] == f"{out}: 2 passages"
    assert "added 2 files" in first
    assert "embedded 2 passages" in first
    again = said(run("index", notes, "--out", out))
    assert "skipped 2 files" in again
    assert "embedded 0 passages" in again
    (notes / "a.txt").unlink()
    (notes / "b.md").write_text("# Warranty\n\nIt lasts three years.")
    third = said(run("index", notes, "--out", out))
    assert {"deleted 1 file", "changed 1 file"} <= set(third)


def test_as_json(run, tmp_path):
    (tmp_path / "a.txt").write_text("Words.")
    done = run("index", tmp_path / "a.txt", "--out", tmp_path / "index", "--json")
    report = json.loads(done.stdout)
    assert report["out"] == str(tmp_path / "index")
    assert (report["passages"], report["embedded"]) == (1, 1)
    assert report["added"] == [str(tmp_path / "a.txt")]


def test_a_foreign_folder_is_left_alone(run, tmp_path):
    (tmp_path / "a.txt").write_text("Words.")
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    result = run("index", tmp_path / "a.txt", "--out", out)
    assert result.exit_code == 2
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]
