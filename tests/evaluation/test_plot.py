"""The plot: the same bytes for the same curve, whatever is missing from it."""

import math
import struct
import sys

import matplotlib as mpl
import pytest

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.curve_records import METRICS, Curve, CurveRow
from dera_rag.evaluation.plot import render, save_plot
from dera_rag.evaluation.statistics import Estimate


def row(lam, mean_lam, **values):
    metrics = {
        name: Estimate(v := values.get(name, 0.5), max(0, v - 0.05), v + 0.05, 200)
        for name in METRICS
    }
    return CurveRow(lam, mean_lam, metrics, {})


CURVE = Curve(
    {"pair": "venues-pair", "n": 200},
    (
        row(0.0, 0.0, hallucination=0.34, coverage=0.70, copy_rate=0.05, distance=0.70),
        row(1.0, 1.0, hallucination=0.11, coverage=0.85, copy_rate=0.08, distance=0.72),
        row(2.0, 2.0, hallucination=0.10, coverage=0.88, copy_rate=0.12, distance=0.80),
        row(5.0, 5.0, hallucination=0.20, coverage=0.80, copy_rate=0.30, distance=1.90),
        row("auto", 1.4, hallucination=0.08, coverage=0.87, copy_rate=0.09, distance=0.75),
    ),
)


@pytest.mark.parametrize("form", ["png", "svg"])
def test_equal_curves_give_equal_bytes(form):
    first = render(CURVE, form)
    with mpl.rc_context({"font.size": 20, "svg.hashsalt": None}):
        assert render(Curve.from_json(CURVE.to_json()), form) == first


def test_files_are_pictures_without_a_date(tmp_path):
    png, svg = save_plot(CURVE, tmp_path / "new")
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png.read_bytes()[16:24])
    assert (width, height) == (1500, 630)
    text = svg.read_text(encoding="utf-8")
    assert "<svg" in text
    assert "<dc:date>" not in text


def test_the_users_settings_are_left_alone_and_pyplot_stays_out():
    before = dict(mpl.rcParams)
    render(CURVE, "png")
    assert dict(mpl.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules


def test_unknown_values_are_left_out():
    unknown = row(1.0, 1.0)
    nan = Estimate(math.nan, math.nan, math.nan, 0, 200)
    metrics = {**unknown.metrics, "distance": nan, "copy_rate": nan}
    assert render(Curve({}, (CurveRow(1.0, 1.0, metrics, {}),)), "png")


def test_a_curve_of_the_policy_alone():
    assert render(Curve({}, (CURVE.rows[-1],)), "svg")


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InvalidValueError, match="without rows"):
        render(Curve({}, ()), "png")
    with pytest.raises(InvalidValueError, match="gif"):
        render(CURVE, "gif")
