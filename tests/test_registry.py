"""Names → objects, imported on first use."""

from importlib.metadata import EntryPoint

import pytest

from dera_rag import registry
from dera_rag.errors import DeraRagError, UnknownNameError
from dera_rag.protocols import LambdaPolicy, Meter

KINDS = ["policies", "meters"]


@pytest.fixture
def third_party(monkeypatch):
    """Another distribution that adds one policy and tries to take over a built-in name."""
    added = [
        EntryPoint("ceiling", "math:ceil", "dera_rag.policies"),
        EntryPoint("constant", "math:floor", "dera_rag.policies"),
    ]
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [e for e in added if e.group == group]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_built_in_name_resolves(kind):
    assert registry.names(kind) == sorted(registry.names(kind))
    for name in registry.names(kind):
        assert callable(registry.resolve(kind, name))


def test_what_resolves_is_what_was_asked_for():
    policy = registry.resolve("policies", "constant")(1.5)
    assert isinstance(policy, LambdaPolicy)
    assert policy.name == "constant"
    assert isinstance(registry.resolve("meters", "venues")(), Meter)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("constnat", "constant"), ("evidense", "evidence"), ("Evidence", "evidence")],
)
def test_an_unknown_name_suggests_the_nearest(typed, meant):
    with pytest.raises(UnknownNameError, match=f"{typed}.*did you mean.*{meant}"):
        registry.resolve("policies", typed)


def test_a_name_like_no_other_lists_all():
    with pytest.raises(UnknownNameError) as caught:
        registry.resolve("policies", "zzz")
    assert all(name in caught.value.hint for name in registry.names("policies"))


def test_an_unknown_kind_lists_the_kinds():
    for use in (registry.names, lambda kind: registry.resolve(kind, "constant")):
        with pytest.raises(DeraRagError, match=r"polices.*meters.*policies"):
            use("polices")


def test_third_parties_add_names_but_never_replace_one(third_party):
    import math

    assert "ceiling" in registry.names("policies")
    assert registry.resolve("policies", "ceiling") is math.ceil
    assert registry.resolve("policies", "constant") is not math.floor
    assert registry.names("policies").count("constant") == 1
