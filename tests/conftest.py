"""Settings every test runs under, and fixtures about the suite rather than the package."""

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

# Before any test imports torch, tokenizers or matplotlib: they read these once. One thread a
# process, so that parallel workers do not fight over cores and sums are added in one order.
for _name, _value in {
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "Agg",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "RAGAS_DO_NOT_TRACK": "true",
    "TOKENIZERS_PARALLELISM": "false",
}.items():
    os.environ.setdefault(_name, _value)

ROOT = Path(__file__).resolve().parents[1]

# No database and no deadline: the same examples on every machine, however slow. A test that sets
# `max_examples` itself keeps its own count under both profiles.
hypothesis.settings.register_profile(
    "quick", max_examples=25, derandomize=True, deadline=None, database=None
)
hypothesis.settings.register_profile(
    "full", parent=hypothesis.settings.get_profile("quick"), max_examples=500
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full", action="store_true", help="large random checks at full count, and slow tests"
    )


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile("full" if config.getoption("--full") else "quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--full"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
    for item in items:
        if item.get_closest_marker("gpu") and not _has_gpu():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
        if item.get_closest_marker("hub") and os.environ["HF_HUB_OFFLINE"] == "1":
            item.add_marker(pytest.mark.skip(reason="needs a model hub: set HF_HUB_OFFLINE=0"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the exceptions to exact equality that tests recorded as their property `ties`."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    for report in reports:
        ties = dict(getattr(report, "user_properties", ())).get("ties")
        if ties and report.when == "teardown":
            gaps = ", ".join(f"{gap:.1e}" for gap in ties)
            terminalreporter.write_line(f"ties in {report.nodeid}: {gaps}")


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    """Whether large random checks run at full count (`make test-all`)."""
    return bool(pytestconfig.getoption("--full"))


@pytest.fixture(scope="session")
def cases(full: bool) -> Callable[[int, int], int]:
    """`cases(quick, full)`: how many random cases this run checks."""
    return lambda quick_count, full_count: full_count if full else quick_count


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Public datasets in folders by name (`e2e`, `nq_open`, …); the repository holds none."""
    named = os.environ.get("DERA_RAG_DATA")
    if named and not Path(named).is_dir():
        pytest.fail(f"DERA_RAG_DATA names no folder: {named!r}")
    path = Path(named) if named else ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("no datasets here: set DERA_RAG_DATA to a folder that holds them by name")
    return path
