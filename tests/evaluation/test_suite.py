"""Suites: values only, everything checked before anything is loaded."""

import pytest
import yaml
from evaluation_suites import suite_values, write_questions

from dera_rag.errors import DeraRagError, InvalidValueError, MissingFileError, UnknownNameError
from dera_rag.evaluation.scorers.grounded.model import GroundedModel
from dera_rag.evaluation.scorers.grounded.scorer import Grounded
from dera_rag.evaluation.suites import (
    Named,
    find_suite,
    load_suite,
    read_suite,
    shipped_names,
    with_policy_files,
)
from dera_rag.evaluation.suites.examples import EXAMPLES
from dera_rag.policies import EvidencePolicy


class Models:
    """Where a pair would lie; `validate` must not look."""

    reference, aligned = "nowhere/reference", "nowhere/aligned"


@pytest.fixture
def values(tmp_path):
    """`values(key=…)` changes the suite; `values.read(key=…)` reads it."""
    write_questions(tmp_path)

    def read(**changes):
        return read_suite(suite_values(Models, **changes), tmp_path)

    return read


def test_shipped_suites_are_those_beside_the_package(root):
    kept = {path.name: path.read_text("utf-8") for path in (root / "evals").glob("*.yaml")}
    shipped = {f"{name}.yaml": find_suite(name).read_text("utf-8") for name in shipped_names()}
    assert shipped == kept
    assert {"venues", "e2e", "nq", "ragtruth", "own"} <= set(shipped_names())


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_suite_is_valid(name, tmp_path):
    path = tmp_path / f"{name}.yaml"
    path.write_text(find_suite(name).read_text("utf-8"), encoding="utf-8")
    # What the template's reader brings along.
    write_questions(tmp_path)
    (tmp_path / "documents").mkdir()
    suite = load_suite(path)
    assert suite.name == name
    for section in suite.tasks:
        card = section.make_task(suite.folder).card
        assert card.licence
        assert card.split
        assert card.size
        assert card.metrics


def test_a_suite_is_found_by_path_and_by_name(tmp_path):
    file = tmp_path / "venues"
    file.write_text("")
    assert find_suite(file) == file
    assert find_suite("venues").is_file()
    with pytest.raises(UnknownNameError, match=r"venus.*did you mean.*venues"):
        find_suite("venus")
    with pytest.raises(MissingFileError, match=r"shipped are.*venues"):
        find_suite("mine.yaml")


def test_what_is_read_is_what_was_written(values):
    suite = values(seeds=[3, 4], tuning=0.25, lam=[0, 0.5, 2])
    assert suite.lam == (0.0, 0.5, 2.0)
    assert suite.seeds == (3, 4)
    assert suite.tuning == 0.25
    assert suite.make_sampling().max_new_tokens == 5
    assert suite.make_policies()["middle"].decide("?", None).lam == 0.75
    assert [s.name for s in suite.tasks[0].scorers] == ["copy_rate"]


def test_a_policy_by_name_is_kept_as_values(values):
    suite = values(policies=["evidence"])
    assert suite.policies["evidence"] == EvidencePolicy.embedded().to_config()


def test_a_policy_file_is_read_once_and_kept_as_values(values, tmp_path):
    (tmp_path / "mine.yaml").write_text("policy: constant\nlam: 1.25\n")
    assert values(policies=["mine.yaml"]).policies == {"mine": {"policy": "constant", "lam": 1.25}}


def test_a_policy_file_may_have_a_label_and_is_named_where_it_is_wrong(values, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("policy: constant\nlam: 1.25\nlabel: fast\n")
    assert values(policies=["mine.yaml"]).policies == {"fast": {"policy": "constant", "lam": 1.25}}
    file.write_text("policy: constant\nlamb: 1.25\n")
    with pytest.raises(InvalidValueError, match=r"policies, mine\.yaml: .*lamb"):
        values(policies=["mine.yaml"])
    with pytest.raises(MissingFileError, match=r"gone\.yaml.*relative to the suite"):
        values(policies=["gone.yaml"])


def test_what_a_run_keeps_of_a_policy_file_is_read_as_the_same_policy(values, tmp_path):
    (tmp_path / "mine.yaml").write_text("policy: constant\nlam: 1.25\n")
    kept = with_policy_files({"policies": ["mine.yaml", "evidence"], "suite": "s"}, tmp_path)
    held = {"policy": "constant", "lam": 1.25, "label": "mine"}
    assert kept == {"policies": [held, "evidence"], "suite": "s"}
    before = values(policies=["mine.yaml", "evidence"])
    (tmp_path / "mine.yaml").unlink()
    assert values(policies=kept["policies"]).policies == before.policies


def test_paths_of_scorers_are_relative_to_the_suite(values, tmp_path, monkeypatch):
    (tmp_path / "fitted.json").write_text(GroundedModel.embedded().to_json(), encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    suite = values(scorers=[{"scorer": "grounded", "weights": "fitted.json"}])
    made = suite.tasks[0].scorers[0].scorer(suite.folder)
    assert made.version == Grounded().version  # of its content, and not of where it lies


def test_a_model_in_a_folder_is_known_by_its_content(tmp_path):
    versions = []
    for name, weights in [("here", b"one"), ("there", b"one"), ("else", b"two")]:
        folder = tmp_path / name / "judge"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(weights)
        for scorer in ("minicheck", "lettucedetect", "entailment", "naturalness_distance"):
            versions.append((name, Named(scorer, {"model": "judge"}).scorer(folder.parent).version))
    by_place = {name: [v for n, v in versions if n == name] for name, _ in versions}
    assert by_place["here"] == by_place["there"]
    assert not set(by_place["here"]) & set(by_place["else"])
    assert Named("minicheck", {"model": "hub/id"}).scorer().version == "1 hub/id 2048"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lam": None, "lamb": [0, 1]}, r"unknown keys \['lamb'\].*did you mean 'lam'"),
        ({"suite": None, "suit": "x"}, r"unknown keys \['suit'\].*did you mean 'suite'"),
        ({"seedz": [1]}, r"unknown keys \['seedz'\].*did you mean 'seeds'"),
        ({"answers": None}, "'answers' is missing"),
        ({"answers": "paths"}, "unknown answers.*'paths'.*path"),
        ({"lam": None}, "`lam` is missing"),
        ({"lam": [1, 0]}, "must ascend"),
        ({"lam": [-1, 0]}, "λ must be finite and ≥ 0"),
        ({"lam": ["x"]}, "λ must be a number"),
        ({"answers": "path"}, r"lam: \[lowest, highest\]"),
        ({"answers": "path", "lam": [0, 2], "sampling": {"top_p": 0.9}}, "cannot be exact"),
        ({"answers": "given"}, "given answers have no `lam`"),
        ({"answers": "given", "lam": None}, "given answers have no `policies`"),
        ({"sampling": {"temprature": 1}}, "did you mean 'temperature'"),
        ({"sampling": {"temperature": -1}}, "temperature must be ≥ 0"),
        ({"sampling": {"seed": 1}}, "no option 'seed'"),
        ({"seeds": [1, 1]}, "seeds must be different"),
        ({"seeds": [True]}, "seeds must be different"),
        ({"top_k": 0}, "'top_k' must be a whole number"),
        ({"batch": 1.5}, "'batch' must be a whole number"),
        ({"tuning": 1}, r"'tuning' must be in \[0, 1\)"),
        ({"signals": "all"}, "unknown signals"),
        ({"prompt": 3}, "prompt must be text"),
        ({"prompt": "{question}"}, "{passages}"),
        ({"pair": "embeded"}, "pair must be `embedded`"),
        ({"pair": {"reference": "a"}}, "'aligned' is missing"),
        ({"pair": {"reference": "a", "aligned": "b", "dtyp": "x"}}, "did you mean 'dtype'"),
        ({"policies": ["evidense"]}, "did you mean"),
        ({"policies": [{"policy": "constant", "lam": 1}] * 2}, "two policies are called"),
        ({"scorers": ["copy_rat"]}, r"copy_rat.*did you mean.*copy_rate"),
        ({"scorers": [{"scorer": "copy_rate", "words": 3}]}, "no option 'words'"),
        ({"scorers": ["copy_rate", "copy_rate"]}, "listed twice"),
        ({"scorers": [3]}, "no scorer: 3"),
        ({"tasks": {}}, "no tasks"),
        ({"tasks": {"mine": {"task": "onw"}}}, "did you mean"),
        ({"tasks": {"mine": {"task": "own"}}}, "'questions' is missing"),
        ({"tasks": {"venues": {"n": "many"}}}, "'n' must be int"),
        ({"tasks": {"venues": {"n": 0}}}, "n must be an integer ≥ 1"),
        ({"tasks": {"venues": {"kinds": ["describe", "sing"]}}}, "unknown kind 'sing'"),
        ({"tasks": {"mine": {"task": "own", "questions": "no.jsonl"}}}, "no file or folder"),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_out(changes, message, values):
    with pytest.raises(DeraRagError, match=message):
        values(**changes)


@pytest.mark.parametrize(
    ("changes", "key", "hint"),
    [
        ({"seeds": "1"}, "seeds", "`seeds: [0, 1]`"),
        ({"seeds": 1}, "seeds", "`seeds: [0, 1]`"),
        ({"seeds": ["1"]}, "seeds", "`seeds: [0, 1]`"),
        ({"lam": "high"}, "lam", "`lam: [0, 2]`"),
        ({"lam": 1}, "lam", "`lam: [0, 2]`"),
        ({"lam": ["0"]}, "lam", "use a float"),
        ({"top_k": "3"}, "top_k", "`top_k: 3`"),
        ({"batch": "8"}, "batch", "`batch: 8`"),
        ({"max_segments": 0}, "max_segments", "`max_segments: 256`"),
        ({"tuning": "half"}, "tuning", "`tuning: 0.5`"),
        ({"suite": 3}, "suite", "`suite: warranty`"),
        ({"scorers": "copy_rate"}, "scorers", "`scorers: [copy_rate, length]`"),
        ({"policies": "evidence"}, "policies", "`policies: [evidence]`"),
        ({"sampling": 1}, "sampling", "temperature: 1"),
        ({"sampling": {"temperature": "1"}}, "temperature", "write 1 without quotes"),
        ({"tasks": ["venues"]}, "tasks", "task: own"),
        ({"tasks": {"venues": {"n": "5"}}}, "n", "write 5 without quotes"),
        ({"prompt": 3}, "prompt", "{passages}"),
    ],
)
def test_a_value_of_another_type_shows_how_it_is_written(changes, key, hint, values):
    with pytest.raises(InvalidValueError) as refused:
        values(**changes)
    assert key in refused.value.message
    assert hint in refused.value.hint


def test_every_example_is_a_suite_that_can_be_read(tmp_path):
    """All of them together are one: an example that is refused itself would teach nothing."""
    write_questions(tmp_path)
    (tmp_path / "documents").mkdir()
    text = "\n".join(EXAMPLES.values())
    suite = read_suite(yaml.safe_load(text) | {"axes": {"factuality": "copy_rate"}}, tmp_path)
    assert (suite.seeds, suite.lam, suite.top_k) == ((0, 1), (0.0, 2.0), 3)
    assert yaml.safe_load(EXAMPLES["axes"])["axes"].keys() == {"factuality", "naturalness"}


def test_a_file_that_is_no_suite_is_named(tmp_path):
    file = tmp_path / "suite.yaml"
    file.write_text("- a\n- b\n")
    with pytest.raises(InvalidValueError, match=r"suite\.yaml: expected keys and values"):
        load_suite(file)
    file.write_text("a: [")
    with pytest.raises(InvalidValueError, match=r"suite\.yaml is not YAML"):
        load_suite(file)


def test_the_template_names_every_key_once(root):
    """A key that is written twice would silently be the second."""
    for path in (root / "evals").glob("*.yaml"):
        top = [line for line in path.read_text("utf-8").splitlines() if line[:1].isalpha()]
        keys = [line.partition(":")[0] for line in top]
        assert len(keys) == len(set(keys)) == len(yaml.safe_load(path.read_text("utf-8")))


def test_axes_name_scorers_and_change_no_answer(values):
    suite = values(scorers=["copy_rate", "repetition"], axes={"factuality": "copy_rate"})
    assert suite.axes == {"factuality": ("copy_rate",)}
    both = values(
        scorers=["copy_rate", "repetition"], axes={"naturalness": ["copy_rate", "repetition"]}
    )
    assert both.axes == {"naturalness": ("copy_rate", "repetition")}
    assert suite.generation() == values(scorers=["copy_rate"]).generation()
    assert values().axes == {}


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        ({"factualty": "copy_rate"}, r"did you mean 'factuality'"),
        ({"factuality": "copy_rat"}, r"nothing is scored by 'copy_rat'.*did you mean 'copy_rate'"),
        ({"factuality": "length"}, r"neither end of 'length' is better"),
        ({"naturalness": 3}, r"axes, naturalness: expected a list of words"),
        ("copy_rate", r"'axes' must be keys and values.*axes: \{factuality"),
    ],
)
def test_axes_that_cannot_be_are_refused(values, axes, says):
    with pytest.raises(InvalidValueError, match=says):
        values(scorers=["copy_rate", "length"], axes=axes)
