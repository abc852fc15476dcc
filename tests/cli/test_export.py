"""`dera-rag eval export`: a run's answers for another tool."""

import json

from report_runs import LOWER, question, scored, segments, write_run


def test_a_run_for_ragas(run, tmp_path):
    ok = scored({"m": 0.0})
    folder = write_run(
        tmp_path / "run",
        [question("a", segments((0, ok), (0.5, ok))), question("b", "ValueError: too long")],
        scorers={"m": LOWER},
    )
    out = tmp_path / "answers.jsonl"
    done = run("eval", "export", folder, "--out", out)
    assert done.exit_code == 0
    assert "wrote 2 answers" in done.stdout
    assert "without an answer, not in it: 1" in done.stderr
    done = run("eval", "export", folder, "--format", "ragas", "--out", out, "--at", 1, "--json")
    assert json.loads(done.stdout) == {"out": str(out), "rows": 1, "failed": 1}
    (row,) = map(json.loads, out.read_text().splitlines())
    assert (row["key"], row["lam"], row["user_input"]) == ("a", 1.0, "What of a?")
    refused = run("eval", "export", folder, "--out", out, "--at", "evidence")
    assert refused.exit_code == 2
    assert "no arm 'evidence'" in refused.stderr
    assert run("eval", "export", folder, "--out", "/dev/null/x").exit_code == 2
