"""The second check of a curve's answers, on sentences whose faults are plain to see."""

import importlib
import json
import math
import sys

import pytest

from dera_rag.evaluation.curve_records import ScoredAnswer
from dera_rag.evaluation.curve_scoring import QuestionSet

HERON = {
    "name": "The Gilded Heron",
    "eatType": "pub",
    "food": "Italian",
    "priceRange": "cheap",
    "customer rating": "5 out of 5",
    "area": "riverside",
    "familyFriendly": "no",
    "near": "Wexcombe Bridge",
}
KETTLE = {"name": "Café Kettle", "eatType": "coffee shop", "priceRange": "£20-25"}
HOLDS = (
    "The Gilded Heron is a highly rated Italian pub by the river, near Wexcombe Bridge.",
    "It costs less than £20, is not kid friendly and has five stars.",
    "The Gilded Heron isn't family-friendly, but prices are low and its rating is high.",
    "It has a low price range and a high customer rating.",
    "Families are not welcome at this inexpensive riverside venue.",
    "The Gilded Heron is an adults only pub outside the city centre.",
    "Located on the Thames, it serves pasta for under 20 pounds.",
    "The guide does not say whether it is family friendly or what it is near.",
    "There is no information about the food at The Gilded Heron.",
    "The family friendliness of The Gilded Heron is not stated.",
    "It is a non-family-friendly Italian pub.",
)
FAULTS = {
    "It is a child friendly pub.": "familyFriendly: yes",
    "The Gilded Heron is moderately priced.": "priceRange: mid",
    "Prices are above average.": "priceRange: high",
    "It costs more than £30.": "priceRange: high",
    "It has an average customer rating.": "customer rating: mid",
    "It was rated 1 out of 5.": "customer rating: low",
    "It lies in the heart of the city.": "area: city centre",
    "The Gilded Heron serves British food.": "food: english",
    "It does not serve Italian food.": "food: not italian",
    "It is a restaurant near Wexcombe Bridge.": "eatType: restaurant",
    "The Gilded Heron is near Wexcombe Abbey.": "name: Wexcombe Abbey",
    "The Gilded Heron is near The Gilded Heron.": "near: The Gilded Heron",
    "The Gilded Herons is a pub.": "name: The Gilded Herons",
    "The guide does not say what it costs and it serves Thai food.": "food: another",
}


@pytest.fixture(scope="module")
def check(root):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root / "evals"))
        yield importlib.import_module("second_check")
    for name in ("second_check", "second_reading", "second_words"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("answer", HOLDS)
def test_true_answers_hold(check, answer):
    assert check.faults([HERON["name"]], [HERON], answer) == []


@pytest.mark.parametrize("answer", FAULTS)
def test_each_fault_is_named(check, answer):
    found = check.faults([HERON["name"]], [HERON], answer)
    assert [fault.removesuffix(" (The Gilded Heron)") for fault in found] == [FAULTS[answer]]


def test_a_value_the_record_lacks_is_a_fault(check):
    names, records = [KETTLE["name"]], [KETTLE]
    assert check.faults(names, records, "Cafe Kettle is moderately priced.") == []
    found = check.faults(names, records, "Café Kettle is not near the river.")
    assert found == ["area: not riverside (Café Kettle)"]


def test_words_inside_a_name_are_no_values(check):
    record = {"name": "The Cheap Teapot", "near": "Indian Family Kitchen"}
    answer = "The Cheap Teapot is close to Indian Family Kitchen."
    assert check.faults([record["name"]], [record], answer) == []


def test_anything_said_of_an_unknown_place_is_a_fault(check):
    assert check.faults(["Lark & Co"], [{}], "There is no pub called Lark & Co in the guide.") == []
    assert check.faults(["Lark & Co"], [{}], "Lark and Co is cheap.") == [
        "priceRange: low (Lark & Co)"
    ]


@pytest.mark.parametrize(
    "answer",
    [
        "There is no record of The Gilded Heron in the guide.",
        "There is no information about The Gilded Heron.",
        "The guide does not list a place called The Gilded Heron.",
        "I could not find The Gilded Heron.",
        "The Gilded Heron isn't listed in the guide.",
        "The Gilded Heron does not exist.",
        "There is no pub named The Gilded Heron.",
        "Sorry, there is no such place.",
        "The guide says nothing about The Gilded Heron, but it is a pub.",
    ],
)
def test_a_place_that_exists_must_not_be_denied(check, answer):
    denied = ["name: denied (The Gilded Heron)"]
    assert check.faults([HERON["name"]], [HERON], answer) == denied
    assert check.faults([HERON["name"]], [{}], answer.partition(", but")[0]) == []


@pytest.mark.parametrize(
    "answer",
    [
        "There is no information about The Gilded Heron's food.",
        "The price of The Gilded Heron is not listed in the guide.",
        "I could not find what The Gilded Heron is near in the guide.",
        "The guide does not list The Gilded Heron as family friendly.",
        "The guide does not say.",
    ],
)
def test_what_is_not_said_of_a_place_does_not_deny_it(check, answer):
    assert not [f for f in check.faults([HERON["name"]], [HERON], answer) if "denied" in f]


@pytest.mark.parametrize(
    ("answer", "denied"),
    [
        ("The Gilded Heron is a pub, but Café Kettle is not listed.", [1]),
        ("Neither The Gilded Heron nor Café Kettle is in the guide.", [0, 1]),
        ("There is no record of Café Kettle, while The Gilded Heron is a pub.", [1]),
        ("The price of The Gilded Heron and Café Kettle is not listed.", []),
    ],
)
def test_a_comparison_may_deny_one_place_or_both(check, answer, denied):
    names = [HERON["name"], KETTLE["name"]]
    found = check.faults(names, [HERON, KETTLE], answer)
    assert found == [f"name: denied ({names[place]})" for place in denied]


@pytest.mark.parametrize(
    ("answer", "faulty"),
    [
        ("The Gilded Heron is a cheap pub, whereas Café Kettle costs £20-25.", []),
        ("You pay little at a pub. Café Kettle is a coffee shop and The Gilded Heron a pub.", []),
        ("The Gilded Heron is a pub and Café Kettle is a pub.", ["Café Kettle"]),
        ("Café Kettle is a coffee shop, The Gilded Heron too.", ["The Gilded Heron"]),
        ("Both The Gilded Heron and Café Kettle are cheap.", ["Café Kettle"]),
        ("Café Kettle is near The Gilded Heron.", ["Café Kettle"]),
    ],
)
def test_each_clause_of_a_comparison_is_held_against_its_own_place(check, answer, faulty):
    found = check.faults([HERON["name"], KETTLE["name"]], [HERON, KETTLE], answer)
    assert [fault.rpartition("(")[2].rstrip(")") for fault in found] == faulty


def test_agreement_by_hand(check):
    # .6 agree; chance is .5·.5 + .5·.5; κ = (.6 − .5) / (1 − .5).
    pairs = [(True, True)] * 3 + [(False, False)] * 3 + [(True, False)] * 2 + [(False, True)] * 2
    found = check.agreement(pairs)
    assert (found.n, found.first, found.second) == (10, 0.5, 0.5)
    assert found.agreement == pytest.approx(0.6)
    assert found.kappa == pytest.approx(0.2)
    assert math.isnan(check.agreement([(False, False)]).kappa)


def scored(question, answer, wrong):
    numbers = dict.fromkeys(("copy_rate", "log_likelihood", "distance", "repetition"), 0.0)
    return ScoredAnswer(
        key=question.key,
        kind=question.kind,
        source=question.key,
        question=question.text,
        answer=answer,
        lam=1.0,
        passages=(),
        inserted=(),
        wrong=wrong,
        deleted=(),
        expected=1,
        covered=1,
        abstained=False,
        length=5,
        unfinished=False,
        kl=0.0,
        kl_per_token=0.0,
        **numbers,
    )


@pytest.fixture
def run_folder(tmp_path):
    """Two λ of two questions: a description and one attribute, the second answered wrongly."""
    settings = {"n": 2, "seed": 3, "n_places": 20}
    questions = QuestionSet.make(2, 3, 20).questions
    (tmp_path / "answers").mkdir()
    (tmp_path / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    rows = [
        scored(questions[0], f"{questions[0].names[0]} is in the guide.", ()),
        scored(questions[1], f"{questions[1].names[0]} serves Thai food.", ()),
    ]
    for lam in ("auto", "0.5"):
        file = tmp_path / "answers" / f"lam-{lam}.jsonl"
        file.write_text("".join(f"{row.to_json()}\n" for row in rows), encoding="utf-8")
    return tmp_path


def test_reads_a_run_and_reports_it(check, run_folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["second_check.py", str(run_folder), "--show", "9", "--json"])
    check.main()
    report = json.loads(capsys.readouterr().out)
    assert list(report["lam"]) == ["0.5", "auto"]
    assert report["lam"]["auto"] == {
        "n": 2, "first": 0.0, "second": 0.5, "agreement": 0.5, "kappa": 0.0,
    }  # fmt: skip
    assert [one["lam"] for one in report["disagreements"]] == ["0.5", "auto"]
    monkeypatch.setattr(sys, "argv", ["second_check.py", str(run_folder), "--show", "1"])
    check.main()
    shown = capsys.readouterr().out
    assert shown.count("serves Thai food") == 1
    assert "food: another" in shown


def test_refuses_what_is_no_run(check, run_folder, tmp_path):
    with pytest.raises(SystemExit, match="no answers"):
        check.read_run(tmp_path / "elsewhere")
    settings = {"n": 2, "seed": 4, "n_places": 20}
    (run_folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(SystemExit, match="not asked by seed 4"):
        check.read_run(run_folder)
