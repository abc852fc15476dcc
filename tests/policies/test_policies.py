"""Policies: the contract, the evidence policy by hand, and their YAML."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dera_rag.errors import InvalidValueError, MissingFileError, UnknownNameError
from dera_rag.policies import (
    Adjustment,
    ConstantPolicy,
    Cues,
    EvidencePolicy,
    from_config,
    load,
    read_signals,
    save,
)
from dera_rag.policies.contract import check_policy
from dera_rag.types import Evidence, LambdaDecision, Passage

CUES = Cues("name", {"price range": ("price", "how much"), "food": ("food", "serve")})
ARMS = Passage("arms", "- name: The Price Arms\n- food: Italian", 0.75)
ARM = Passage("arm", "- name: The Price Arm\n- price range: cheap", 0.5)
PROSE = Passage("prose", "Nothing to see: move on.", 0.25)


def policy(*adjustments, base=1.0, maximum=2.0):
    return EvidencePolicy("venues-pair", "venues", base, maximum, CUES, adjustments)


def evidence(*passages, disagreement=math.nan, pair="venues-pair", corpus="venues"):
    return Evidence(passages, disagreement, pair, corpus)


class TestSignals:
    def test_by_hand(self):
        signals = read_signals(
            "How much does the price arms charge?", evidence(ARMS, ARM, disagreement=2.0), CUES
        )
        # 2 · |"the price arm"| / (13 + 14) characters in common.
        assert signals.pop("rival") == pytest.approx(2 * 13 / 27)
        assert signals == {
            "passages": 2,
            "top_score": 0.75,
            "margin": 0.25,
            "names_found": 1,
            "asked": 1,
            "missing": 1,
            "disagreement": 2.0,
        }

    def test_words_of_a_name_ask_for_nothing(self):
        assert read_signals("Describe The Price Arms.", evidence(ARMS), CUES)["asked"] == 0

    def test_a_name_inside_a_longer_one_is_not_asked_about(self):
        short = Passage("short", "name: Price Arms")
        signals = read_signals("What about The Price Arms?", evidence(short, ARMS), CUES)
        assert signals["names_found"] == 1

    def test_without_the_name_the_best_passage_is_looked_at(self):
        signals = read_signals("How much is Elsewhere?", evidence(ARM, ARMS), CUES)
        assert (signals["names_found"], signals["missing"], signals["rival"]) == (0, 0, 0)

    def test_of_two_named_places_both_must_cover_it(self):
        question = "Compare the food of The Price Arms and The Price Arm."
        signals = read_signals(question, evidence(ARMS, ARM), CUES)
        assert (signals["names_found"], signals["missing"], signals["rival"]) == (2, 1, 0)

    def test_nothing_retrieved(self):
        signals = read_signals("How much?", evidence(), CUES)
        assert math.isnan(signals["top_score"])
        assert math.isnan(signals["margin"])
        assert (signals["passages"], signals["asked"], signals["missing"]) == (0, 1, 0)

    def test_prose_has_no_name(self):
        assert read_signals("Nothing to see?", evidence(PROSE), CUES)["names_found"] == 0


class TestEvidencePolicy:
    MISSING = Adjustment("missing", 0.5, "the passage lacks what is asked", above=0)
    UNSURE = Adjustment("top_score", 0.25, "retrieval is unsure", below=0.8)

    def test_base(self):
        decision = policy(self.MISSING).decide("Describe The Price Arms.", evidence(ARMS))
        assert (decision.lam, decision.policy) == (1.0, "evidence")
        assert "nothing unusual" in decision.reason

    def test_additions_and_their_reasons(self):
        decision = policy(self.MISSING, self.UNSURE).decide("How much?", evidence(ARMS))
        assert decision.lam == 1.75
        assert decision.reason == (
            "λ=1.75: base 1, +0.5 as the passage lacks what is asked; +0.25 as retrieval is unsure"
        )

    @pytest.mark.parametrize(("add", "expected"), [(5.0, 2.0), (-5.0, 0.0)])
    def test_clipped(self, add, expected):
        line = Adjustment("passages", add, "there is a passage", above=0)
        assert policy(line).decide("Why?", evidence(ARMS)).lam == expected

    def test_a_missing_number_is_beyond_no_bound(self):
        lines = [
            Adjustment("disagreement", 0.5, "more", above=-1),
            Adjustment("disagreement", 0.5, "less", below=99),
        ]
        assert policy(*lines).decide("Why?", evidence(ARMS)).lam == 1.0

    @pytest.mark.parametrize(
        ("pair", "corpus"), [("mine", "venues"), ("venues-pair", ""), ("", "")]
    )
    def test_elsewhere_it_says_that_it_is_not_fitted(self, pair, corpus):
        chosen = policy(self.MISSING, base=2.0)
        decision = chosen.decide("How much?", evidence(ARMS, pair=pair, corpus=corpus))
        assert decision.lam == 1.0
        assert "fitted to pair 'venues-pair' and corpus 'venues'" in decision.reason
        assert decision.signals["missing"] == 1

    def test_measures_disagreement_only_where_it_counts(self):
        parts = Adjustment("disagreement", 0.5, "they part", above=1)
        assert policy(parts).measures_disagreement("venues-pair", "venues")
        assert not policy(parts).measures_disagreement("venues-pair", "mine")
        assert not policy(self.MISSING).measures_disagreement("venues-pair", "venues")

    @given(
        st.floats(0, 3, allow_nan=False),
        st.lists(st.tuples(st.floats(-3, 3), st.floats(-1, 1)), max_size=4),
    )
    def test_always_a_lambda_in_range(self, base, lines):
        adjustments = [Adjustment("margin", add, "so", above=bound) for add, bound in lines]
        chosen = policy(*adjustments, base=base, maximum=3.0)
        assert all(0 <= decision.lam <= 3 for decision in check_policy(chosen))


class TestContract:
    @pytest.mark.parametrize(
        "chosen",
        [ConstantPolicy(0), ConstantPolicy(1.5), EvidencePolicy.embedded()],
        ids=lambda chosen: chosen.name,
    )
    def test_shipped_policies(self, chosen):
        check_policy(chosen)

    def test_it_notices_a_memory(self):
        class Counting(ConstantPolicy):
            """Raises λ by one for each question."""

            asked = 0

            def decide(self, question, evidence):
                Counting.asked += 1
                return LambdaDecision(Counting.asked, "so far", policy="constant")

        with pytest.raises(AssertionError, match="depends on the questions before"):
            check_policy(Counting(1.0))

    def test_it_notices_values_lost_in_yaml(self):
        class Forgetful(ConstantPolicy):
            """Writes another λ down."""

            def to_config(self):
                return {"policy": "constant", "lam": self.lam + 1}

        with pytest.raises(AssertionError, match="YAML"):
            check_policy(Forgetful(1.0))


class TestYaml:
    def test_round_trip_on_disk(self, tmp_path):
        chosen = policy(TestEvidencePolicy.MISSING, TestEvidencePolicy.UNSURE)
        save(chosen, tmp_path / "policy.yaml")
        assert load(tmp_path / "policy.yaml") == chosen
        assert [file.name for file in tmp_path.iterdir()] == ["policy.yaml"]

    def test_the_embedded_policy_is_for_the_embedded_pair_and_corpus(self):
        chosen = EvidencePolicy.embedded()
        assert chosen.fits("venues-pair", "venues")
        assert set(chosen.cues.attributes) == {
            "type",
            "food",
            "price range",
            "customer rating",
            "area",
            "family friendly",
            "near",
        }

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"base": -1}, "λ must be finite and ≥ 0"),
            ({"base": 3}, "base 3 exceeds maximum"),
            ({"base": "1"}, "'base' must be a number"),
            ({"base": True}, "'base' must be a number"),
            ({"maximum": math.inf}, "λ must be finite"),
            ({"pair": None}, "'pair' must be text"),
            ({"cues": {"food": "serve"}}, "cues.food: expected a list"),
            ({"speed": 1}, r"unknown keys \['speed'\]"),
            ({"adjustments": [3]}, r"adjustments\[0\]: expected keys"),
            ({"adjustments": [{"signal": "luck", "add": 1, "because": "x"}]}, "unknown signal"),
            ({"adjustments": [{"signal": "asked", "add": 1, "because": "x"}]}, "exactly one of"),
            (
                {"adjustments": [{"signal": "asked", "add": math.nan, "because": "x", "above": 1}]},
                "add must be finite",
            ),
            (
                {"adjustments": [{"signal": "asked", "because": "x", "above": 1}]},
                "'add' is missing",
            ),
        ],
    )
    def test_refusals_name_the_value(self, change, message):
        with pytest.raises(InvalidValueError, match=message):
            EvidencePolicy.from_config(policy().to_config() | change)

    def test_names(self):
        assert from_config({"policy": "constant", "lam": 2}) == ConstantPolicy(2.0)
        with pytest.raises(UnknownNameError, match="did you mean"):
            from_config({"policy": "evidenc"})
        with pytest.raises(InvalidValueError, match="must name a policy"):
            from_config({})
        with pytest.raises(InvalidValueError, match="unknown keys"):
            from_config({"policy": "constant", "lamda": 2})

    def test_files(self, tmp_path):
        with pytest.raises(MissingFileError, match="no policy file"):
            load(tmp_path / "none.yaml")
        for text, message in (("a: [", "not YAML"), ("- a", "expected keys and values")):
            (tmp_path / "bad.yaml").write_text(text)
            with pytest.raises(InvalidValueError, match=message):
                load(tmp_path / "bad.yaml")


@pytest.mark.parametrize("lam", [-1, math.nan, math.inf, "1", None, True])
def test_a_constant_must_be_a_lambda(lam):
    with pytest.raises(InvalidValueError, match="λ must be"):
        ConstantPolicy(lam)
