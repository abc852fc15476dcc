"""The command line as a whole: help, errors, exit codes, and what reaches which stream."""

import os
import subprocess
import sys

import pytest

from dera_rag import __version__

VERBS = ("index", "ask", "path", "curve", "eval", "pairs", "doctor", "demo")


def test_help_teaches(run):
    result = run("--help")
    assert result.exit_code == 0
    assert "λ mixes a reference model" in result.stdout
    for verb in VERBS:
        assert f"\n  {verb}" in result.stdout
        shown = run(verb, "--help").stdout
        assert len(shown.splitlines()) > 8
    assert "..." not in result.stdout.replace(
        "[ARGS]...", ""
    )  # one-line descriptions fit their line


def test_no_verb_shows_the_help(run):
    assert "dera-rag demo" in run().output


def test_version(run):
    assert run("--version").stdout == f"dera-rag {__version__}\n"


def test_an_error_is_one_readable_line_on_stderr(run):
    result = run("ask", "Where?", "--lam", "-1")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("dera-rag: λ must be a number ≥ 0 or auto, got '-1'\n")
    assert "hint: e.g. --lam 1.2" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ask", "Where?", "--lam", "much"], "'much'"),
        (["ask", "Where?", "--reference", "sft"], "without --aligned"),
        (["ask", "Where?", "--aligned", "dpo"], "without --reference"),
        (["curve", "--lam", "0,0"], "once each"),
        (["index", "no/such/file.txt", "--out", "nowhere"], "no/such/file.txt"),
        (["doctor", "--reference", "no/such/model"], "no/such/model"),
        (["curve", "--n", "2", "--lam", "1", "--out", "/dev/null/curve"], "/dev/null/curve"),
        (["demo", "--out", "/dev/null/demo"], "/dev/null/demo"),
    ],
)
def test_bad_values_are_named(run, arguments, says, tmp_path, monkeypatch, shipped):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_the_system_refuses_is_one_line_too(run, tmp_path, monkeypatch):
    page = tmp_path / "page.txt"
    page.write_text("Words.")

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.read_bytes", refused)
    result = run("index", page, "--out", tmp_path / "index")
    assert result.exit_code == 2
    assert result.stderr == f"dera-rag: '{page}': Permission denied\n"


def test_a_reader_that_left_is_no_error(run, monkeypatch):
    def gone(*arguments, **settings):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("dera_rag.cli.curve.load_pair", gone)
    assert run("curve").stderr == ""


def test_an_unknown_option_is_a_usage_error(run):
    result = run("ask", "Where?", "--lambda", "1")
    assert result.exit_code == 2
    assert "--lambda" in result.stderr


def test_interrupt_is_130(run, monkeypatch):
    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("dera_rag.cli.curve.load_pair", interrupted)
    assert run("curve").exit_code == 130


def dera_rag(*arguments, **environment):
    """The command in a process of its own."""
    code = "from dera_rag.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_as_a_command_in_a_poor_terminal():
    ran = dera_rag("--help", PYTHONIOENCODING="ascii")
    assert ran.returncode == 0
    assert "mixes a reference model" in ran.stdout
    assert "\x1b[" not in ran.stdout


def test_threads_are_told_not_to_spin_unless_the_user_says_so():
    code = (
        "import os, sys; sys.argv = ['dera-rag', '--version']\n"
        "from dera_rag.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(os.environ['OMP_WAIT_POLICY'])"
    )
    plain = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    for environment, expected in ((plain, "PASSIVE"), (plain | {"OMP_WAIT_POLICY": "x"}, "x")):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.splitlines()[-1] == expected
