import pytest

from dera_rag.errors import InvalidValueError, MissingFileError
from dera_rag.retrieval import Document, load_paths


def minimal_pdf(*pages: str) -> bytes:
    """A PDF of one text line a page, written out by hand (ISO 32000-1, 7.5)."""
    count = len(pages)
    kids = " ".join(f"{3 + 2 * n} 0 R" for n in range(count))
    font = 3 + 2 * count
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>",
    ]
    for n, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        resources = f"<< /Font << /F1 {font} 0 R >> >>"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources {resources} "
            f"/Contents {4 + 2 * n} 0 R >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n"
    table += "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + (table + trailer).encode()


def load(path):
    return list(load_paths([path]))


def test_every_suffix_below_a_folder_is_read_in_order(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "secret.txt").write_text("not this")
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    (tmp_path / "a.txt").write_text("﻿plain text\n", encoding="utf-8")
    (tmp_path / "b.md").write_text("# The Heading\n\nBody.\n")
    (tmp_path / "c.jsonl").write_text('{"id": "x", "text": "row", "metadata": {"lang": "en"}}\n')
    (tmp_path / "d.csv").write_text('id,text,stars\n7,"comma, inside",5\n')
    (tmp_path / "deep" / "E.PDF").write_bytes(minimal_pdf("first page", "", "third page"))
    found = {document.id: document for document in load(tmp_path)}
    assert list(found) == ["a.txt", "b.md", "x", "7", "deep/E.PDF:1", "deep/E.PDF:3"]
    assert found["a.txt"].text == "plain text"
    assert found["b.md"].metadata["title"] == "The Heading"
    assert found["x"].metadata == {"source": "c.jsonl", "lang": "en"}
    assert found["7"].text == "comma, inside"
    assert found["7"].metadata["stars"] == "5"
    assert found["deep/E.PDF:3"].text == "third page"
    assert found["deep/E.PDF:3"].metadata["page"] == "3"


def test_rows_without_an_id_are_named_by_their_line(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        '{"text": "one"}\n\n{"text": "line\\u2028separator\u2028inside"}\n', encoding="utf-8"
    )
    assert [document.id for document in load(rows)] == ["rows.jsonl:1", "rows.jsonl:3"]
    table = tmp_path / "rows.csv"
    table.write_text('text\n"two\nlines"\nlast\n')
    assert [document.id for document in load(table)] == ["rows.csv:3", "rows.csv:4"]


@pytest.mark.parametrize(
    ("name", "content", "line", "what"),
    [
        ("a.jsonl", '{"text": "ok"}\n{"text": \n', 2, "not JSON"),
        ("a.jsonl", '{"text": "ok"}\n["text"]\n', 2, "expected an object"),
        ("a.jsonl", '\n\n{"body": "?"}\n', 3, "no text"),
        ("a.jsonl", '{"text": "  "}\n', 1, "no text"),
        ("a.jsonl", '{"text": "a", "id": [1]}\n', 1, "id is"),
        ("a.jsonl", '{"text": "a", "metadata": [1]}\n', 1, "metadata"),
        ("a.jsonl", '{"text": "a", "metadata": {"k": [1]}}\n', 1, "'k'"),
        ("a.jsonl", '{"text": "\\ud800"}\n', 1, "surrogate"),
        ("a.csv", "body\nx\n", 1, "no column 'text'"),
        ("a.csv", "id,text\n1,ok\n2\n", 3, "number of fields"),
        ("a.csv", "id,text\n1,ok\n2,a,b\n", 3, "number of fields"),
        ("a.csv", 'id,text\n1,"open\n', 2, "unexpected end"),
        ("a.csv", 'id,text\n1,""\n', 2, "no text"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, name, content, line, what):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InvalidValueError, match=rf"line {line}: .*{what}") as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_utf8_is_named_with_its_line(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("one\ncafé\n".encode("latin-1"))
    with pytest.raises(InvalidValueError, match=r"latin\.txt', line 2: not UTF-8"):
        load(path)


def test_a_broken_pdf_is_named(tmp_path):
    path = tmp_path / "broken.pdf"
    path.write_bytes(b"%PDF-1.4 but no more")
    with pytest.raises(InvalidValueError, match=r"broken\.pdf' as PDF"):
        load(path)


def test_paths_that_cannot_be_read(tmp_path):
    with pytest.raises(MissingFileError, match="nowhere"):
        load(tmp_path / "nowhere")
    word = tmp_path / "letter.docx"
    word.write_bytes(b"PK")
    with pytest.raises(InvalidValueError, match=r"unknown suffix '\.docx'"):
        load(word)


def test_the_same_id_twice_names_both_sources(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "page.txt").write_text("text")
    with pytest.raises(InvalidValueError, match=r"'page\.txt' is used twice") as caught:
        list(load_paths([tmp_path / "one", tmp_path / "two"]))
    for folder in ("one", "two"):
        assert str(tmp_path / folder / "page.txt") in str(caught.value)


def test_a_file_reached_twice_counts_once(tmp_path):
    page = tmp_path / "page.txt"
    page.write_text("text")
    assert [d.id for d in load_paths([tmp_path, page])] == ["page.txt"]


@pytest.mark.parametrize("text", ["", " \n", "\ud800"])
def test_documents_that_could_not_be_found_again_are_refused(text):
    with pytest.raises(InvalidValueError):
        Document("id", text)
    with pytest.raises(InvalidValueError):
        Document(text, "text")
    with pytest.raises(InvalidValueError):
        Document("id", "text", {"n": 1})
    with pytest.raises(InvalidValueError):
        Document("id", "text", None)
