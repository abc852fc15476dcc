import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dera_rag.errors import LogitsError
from dera_rag.numerics import check_logits, implausible, log_ratio, mix, mix_rows

INF = math.inf


def test_by_hand():
    reference = torch.tensor([[0.0, 1.0, 2.0]])
    aligned = torch.tensor([[2.0, 1.0, 0.0]])
    assert mix(reference, aligned, 0.0).tolist() == [[0.0, 1.0, 2.0]]
    assert mix(reference, aligned, 0.5).tolist() == [[1.0, 1.0, 1.0]]
    assert mix(reference, aligned, 1.0).tolist() == [[2.0, 1.0, 0.0]]
    # Extrapolation: 0 + 2·2, 1, 2 − 2·2.
    assert mix(reference, aligned, 2.0).tolist() == [[4.0, 1.0, -2.0]]


def test_each_row_has_its_own_lambda():
    reference, aligned = torch.zeros(3, 2), torch.ones(3, 2)
    lam = torch.tensor([0.0, 0.5, 3.0])
    assert mix(reference, aligned, lam).tolist() == [[0, 0], [0.5, 0.5], [3, 3]]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_mixes_in_float32_whatever_the_models_give(dtype):
    reference = torch.tensor([[1.0, 2.0]], dtype=dtype)
    aligned = torch.tensor([[1.0078125, 2.0]], dtype=dtype)
    mixed = mix(reference, aligned, 0.5)
    assert mixed.dtype is torch.float32
    # 1.00390625 needs 9 bits: bfloat16 has 8 and would round it away.
    assert mixed[0, 0].item() == 1.00390625


@given(
    st.lists(
        st.tuples(st.floats(-50, 50, width=32), st.floats(-50, 50, width=32)),
        min_size=2,
        max_size=9,
    ),
    st.floats(0, 5),
)
def test_is_affine_in_lambda_and_exact_at_both_models(pairs, lam):
    reference = torch.tensor([[r for r, _ in pairs]])
    aligned = torch.tensor([[a for _, a in pairs]])
    assert torch.equal(mix(reference, aligned, 0.0), reference)
    assert torch.equal(mix(reference, aligned, 1.0), aligned)
    expected = reference.double() + lam * (aligned.double() - reference.double())
    torch.testing.assert_close(
        mix(reference, aligned, lam).double(), expected, atol=1e-4, rtol=1e-5
    )


@pytest.mark.parametrize("lam", [0.0, 0.5, 1.0, 2.0])
def test_a_token_excluded_by_both_stays_excluded(lam):
    """0·−inf is NaN: mixing masked logits without care loses the whole row at λ=0."""
    reference = torch.tensor([[0.5, -INF, 1.0]])
    aligned = torch.tensor([[1.5, -INF, 0.0]])
    mixed = mix(reference, aligned, lam)
    assert mixed[0, 1].item() == -INF
    assert mixed[0, [0, 2]].isfinite().all()


@pytest.mark.parametrize("lam", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("branch", ["reference", "aligned"])
@pytest.mark.parametrize("value", [-INF, INF, math.nan])
def test_a_fault_names_branch_row_and_step(branch, value, lam):
    logits = {"reference": torch.zeros(3, 4), "aligned": torch.ones(3, 4)}
    logits[branch][1, 2] = value
    with pytest.raises(LogitsError, match=rf"{branch} logits of row 1 at step 7.*token id 2"):
        mix(**logits, lam=lam, step=7)
    with pytest.raises(LogitsError, match="row 41"):
        mix(**logits, lam=lam, rows=[40, 41, 42])


def test_overflow_of_the_mixture_is_a_fault():
    with pytest.raises(LogitsError, match="overflow"):
        mix(torch.tensor([[-2e38, 0.0]]), torch.tensor([[2e38, 0.0]]), 2.0)


def test_a_row_without_any_token_is_a_fault():
    empty = torch.tensor([[0.0, 0.0], [-INF, -INF]])
    with pytest.raises(LogitsError, match=r"row 1 .*every token"):
        mix(empty, empty, 0.5)
    with pytest.raises(LogitsError, match=r"aligned logits of row 1 .*every token"):
        check_logits(empty, "aligned")


def test_one_model_alone_may_exclude_tokens():
    logits = torch.tensor([[0.0, -INF]])
    assert torch.equal(check_logits(logits, "reference"), logits)
    for value in (INF, math.nan):
        with pytest.raises(LogitsError, match="reference logits of row 0 at step 3"):
            check_logits(torch.tensor([[0.0, value]]), "reference", step=3)


def test_rows_that_run_one_model_share_a_batch_with_rows_that_run_two():
    reference = torch.tensor([[0.0, 1.0], [2.0, 3.0]])  # rows 0 and 2
    aligned = torch.tensor([[9.0, 8.0], [4.0, 5.0]])  # rows 1 and 2
    lam = torch.tensor([0.0, 1.0, 0.5])
    mixed = mix_rows(reference, aligned, [0, 2], [1, 2], lam)
    assert mixed.tolist() == [[0.0, 1.0], [9.0, 8.0], [3.0, 4.0]]


def test_a_mixed_batch_names_the_callers_row():
    reference, aligned = torch.zeros(2, 2), torch.zeros(2, 2)
    aligned[0, 1] = math.nan
    with pytest.raises(LogitsError, match="aligned logits of row 11 at step 4"):
        mix_rows(
            reference,
            aligned,
            [0, 2],
            [1, 2],
            torch.tensor([0.0, 1.0, 0.5]),
            step=4,
            rows=[10, 11, 12],
        )


def test_a_batch_of_one_branch():
    logits = torch.tensor([[1.0, 2.0]])
    lam = torch.tensor([0.0])
    assert torch.equal(mix_rows(logits, None, [0], [], lam), logits)
    assert torch.equal(mix_rows(None, logits, [], [0], lam), logits)
    with pytest.raises(LogitsError):
        mix_rows(None, None, [], [], lam)


def test_log_ratio_by_hand():
    """Logits are known up to a constant; log-probabilities are not."""
    reference = torch.tensor([[0.25, 0.75]]).log() + 5
    aligned = torch.tensor([[0.5, 0.5]]).log() - 3
    expected = torch.tensor([[2.0, 2 / 3]]).log()
    torch.testing.assert_close(log_ratio(reference, aligned), expected)


def test_log_ratio_refuses_as_mix_does():
    hidden = torch.tensor([[0.0, -INF, 1.0]])
    ratio = log_ratio(hidden, hidden + 1)
    assert ratio[0, 1].item() == -INF
    assert ratio[0, [0, 2]].tolist() == [0.0, 0.0]
    with pytest.raises(LogitsError, match=r"reference logits of row 7 at step 2: −inf .*alone"):
        log_ratio(hidden, torch.zeros(1, 3), step=2, rows=[7])


def test_implausible_by_hand():
    """Half of the highest probability, .6, is .3: .3 stays, .1 goes."""
    aligned = torch.tensor([[0.6, 0.3, 0.1]]).log() + 4
    assert implausible(aligned, 0.499).tolist() == [[False, False, True]]
    assert implausible(aligned, 0.501).tolist() == [[False, True, True]]
    assert implausible(aligned, 1.0).tolist() == [[False, True, True]]
    assert not implausible(torch.tensor([[0.0, -INF]]), 0.0).any()


@given(st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=9), st.floats(0, 1))
def test_a_most_probable_token_is_always_plausible(logits, share):
    aligned = torch.tensor([logits])
    assert not implausible(aligned, share)[0, aligned.argmax()]
