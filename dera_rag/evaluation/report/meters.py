"""A section's scorers, each with its own error where it has been set against people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dera_rag.errors import InvalidValueError, MissingFileError
from dera_rag.evaluation.report.runs import SectionRun
from dera_rag.evaluation.report.summary_types import Axis, ScorerFacts
from dera_rag.evaluation.scorers.cards import Card


def named_cards(folder: str | Path) -> dict[str, Card]:
    """Cards of a folder that somebody named: one without any is a mistake.

    Args:
        folder: Where `dera-rag eval validate-scorers` wrote them.

    Raises:
        MissingFileError: No such folder, or no card in it.
        InvalidValueError: As `found_cards`.
    """
    path, hint = Path(folder), "`dera-rag eval validate-scorers --out DIR` writes cards"
    if not path.is_dir():
        what = "is a file, not a folder of scorer cards" if path.exists() else "does not exist"
        raise MissingFileError(f"{str(folder)!r} {what}", hint=hint)
    cards = found_cards(path)
    if not cards:
        raise MissingFileError(f"{str(folder)!r} holds no scorer card", hint=hint)
    return cards


def found_cards(folder: Path) -> dict[str, Card]:
    """Scorer → its card, of every card in a folder; none where there is no folder.

    Args:
        folder: Where `dera-rag eval validate-scorers` wrote them.

    Raises:
        InvalidValueError: A JSON file there is no card.
    """
    cards = {}
    for path in sorted(folder.glob("*.json")):
        try:
            card = Card.from_json(path.read_text(encoding="utf-8"))
        except InvalidValueError as error:
            raise InvalidValueError(f"{str(path)!r}: {error.message}", hint=error.hint) from error
        cards[card.scorer] = card
    return cards


def scorer_facts(
    section: SectionRun,
    axes: Sequence[Axis],
    binary: Mapping[str, bool],
    weighted: Mapping[str, bool],
    cards: Mapping[str, Card],
) -> tuple[ScorerFacts, ...]:
    """What each scorer of a section promises, and how far it agrees with people.

    Args:
        section: The section.
        axes: Its axes.
        binary: Scorer → whether all values are 0 or 1.
        weighted: Scorer → whether answers weigh differently.
        cards: Scorer → its card.
    """
    on = {axis.scorer: axis.name for axis in axes if axis.scorer is not None}
    facts = []
    for name in section.scorers:
        promise = section.promises[name]
        low, high = promise["range"]
        card = cards.get(name)
        facts.append(
            ScorerFacts(
                name=name,
                version=promise["version"],
                direction=promise["direction"],
                low=low,
                high=high,
                binary=binary[name],
                weighted=weighted[name],
                axis=on.get(name, ""),
                card=card,
                card_note=_note(card, promise["version"]),
            )
        )
    return tuple(facts)


def _note(card: Card | None, version: str) -> str:
    if card is None or card.version == version:
        return ""
    return f"validated as version {card.version}, scored here as version {version}"
