"""What a text says about places that their records do not: a second reading.

Names are masked first, and anything else that looks like a name is foreign. Clauses that say "not
known" are left out. What remains is looked up word by word; a level ("high", "low") belongs to the
nearest word about prices or ratings. Shares the attribute scheme with the first matcher, no code.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from second_words import (
    ADULT,
    ALONE,
    BEYOND,
    BREAKS,
    EXISTENCE,
    GONE,
    LEVEL_OF,
    LEVELS,
    NOT,
    NUMBERS,
    OUTSIDE,
    PHRASES,
    PRICE,
    QUALITY,
    RATING,
    STARTS,
    UNSAID,
    UNTIL,
    VERBS,
    YOUNG,
    tokens,
)

Record = Mapping[str, str]

CALLED = {"such", "this", "called", "named"}
# "family-run", and "the family friendliness of …" before anything is said about it.
TOPIC = {"style", "owned", "run", "kitchen", "friendliness", "status"}


@dataclass(frozen=True)
class Claim:
    """What a text says: an attribute, what it may mean, whether it is denied, and where."""

    attribute: str
    meanings: frozenset[str]
    denied: bool
    at: int


def clauses(words: Sequence[str]) -> Iterator[list[str]]:
    """Split where a sentence ends, or where a conjunction or comma starts a new statement."""
    clause: list[str] = []
    for i, word in enumerate(words):
        after = words[i + 1] if i + 1 < len(words) else "."
        verb = words[i + 2] if i + 2 < len(words) else ""
        opens = after in STARTS or after[0] == "@" or (after in YOUNG and verb == "are")
        joins = word in {"and", ","} and opens
        if joins and i and words[i - 1][0] == after[0] == "@":  # not in "A and B are both …"
            joins = verb.endswith("s") or verb == "can"
        if word in BREAKS or word in {".", "!", "?"} or joins:
            yield clause
            clause = []
        else:
            clause.append(word)
    yield clause


def spoken(clause: Sequence[str]) -> list[str]:
    """The clause without what it says is not known."""
    for i, word in enumerate(clause):
        near = set(clause[i + 1 : i + 5]) | set(clause[max(0, i - 2) : i])
        if word in ALONE or (word in NOT | {"nothing", "unable"} and near & UNSAID):
            asks = clause[0] in {"whether", "what", "how", "which", "where", "if", "as"}
            return [] if asks else list(clause[: max(0, i - 1)])
    return list(clause)


def denied(clause: Sequence[str], before: Sequence[str], asked: int) -> list[int]:
    """Which places a clause denies: that they exist, or that anything at all is known of them.

    Args:
        clause: The clause.
        before: The one before it: in "the prices of A" and "B are not listed", B is not denied.
        asked: How many of the names are asked about; "no such place" denies them all.
    """
    types = {phrase[-1] for phrase, (a, _) in PHRASES.items() if a == "eatType"} | {"coffee"}
    words = {
        word
        for i, word in enumerate(clause)
        if word not in types or not CALLED & set(clause[max(0, i - 2) : i + 3])
    }
    names = [int(word[1:]) for word in words if word[0] == "@" and int(word[1:]) < asked]
    this_place = words & {"this", "that", "the"} and words & {"place", "venue"}
    none_such = {"no", "such"} <= words or bool(this_place and not names)
    rest = (
        words
        - EXISTENCE
        - {f"@{name}" for name in names}
        - {","}
        - ({"as"} if none_such else set())
    )
    hangs = before[-1:] and before[-1][0] == clause[0][0] == "@" and not VERBS & set(before)
    if rest or hangs or not words & (NOT | GONE | ALONE) or not words & (UNSAID | GONE | {"such"}):
        return []
    return sorted(names) or (list(range(asked)) if none_such else [])


def claims(clause: Sequence[str]) -> Iterator[Claim]:
    """Everything a clause says about the closed attributes."""
    used: set[int] = set()
    numbers: list[int] = []
    for i, word in enumerate(clause):
        after = clause[i + 1] if i + 1 < len(clause) else ""
        number = NUMBERS.get(word) or (int(word) if word.isdigit() else 0)
        if number and after in {"star", "stars"}:
            level = LEVEL_OF.get(str(number), str(number))
            yield Claim("customer rating", frozenset([level]), _denied(clause, i), i)
        elif number >= 10:
            numbers.append(i)
        for phrase in ((word, after), (word,)):
            if phrase in PHRASES and i not in used:
                used |= {i, i + len(phrase) - 1}
                attribute, meanings = PHRASES[phrase]
                outside = attribute == "area" and OUTSIDE & set(clause[max(0, i - 3) : i])
                yield Claim(attribute, meanings, bool(outside) or _denied(clause, i), i)
    if numbers:
        yield Claim("priceRange", _amount(clause, numbers), False, numbers[0])
    stars = bool({"star", "stars"} & set(clause))
    yield from _levels(clause, used, (bool(numbers), stars))
    yield from _family(clause)


def _levels(clause: Sequence[str], used: set[int], exact: tuple[bool, bool]) -> Iterator[Claim]:
    """Levels of price and rating; "an average price of £30" does not call the price average."""
    found = [
        (side, word, i)
        for i, word in enumerate(clause)
        if word in LEVELS
        and i not in used | {u - 1 for u in used}
        and not (word.endswith("er") and "than" in clause)
        and not QUALITY & set(clause[i + 1 : i + 2])
        for side in _anchors(clause, i)
        if LEVELS[word][side]
    ]
    for side, word, i in found:
        others = [w for s, w, _ in found if s == side and w != word]
        if word != "average" or not (exact[side] or others):
            attribute = ("priceRange", "customer rating")[side]
            yield Claim(attribute, LEVELS[word][side], _denied(clause, i), i)


def _amount(clause: Sequence[str], at: Sequence[int]) -> frozenset[str]:
    """What the numbers of a clause say about the price."""
    values = {NUMBERS.get(clause[i]) or int(clause[i]) for i in at}
    before = set(clause[max(0, at[0] - 4) : at[-1] + 3])
    if values == {20, 25}:
        return frozenset(["mid"])
    low, high = min(values), max(values)
    beyond = before & BEYOND and not before & NOT
    if high <= 20:
        exact = low == 20 and not before & (UNTIL | NOT)
        return frozenset(["another"] if beyond else ["low", "mid"] if exact else ["low"])
    if low >= 30:
        return frozenset(["another" if before & UNTIL else "high"])
    return frozenset(["mid" if low >= 20 and high <= 25 else "another"])


def _anchors(clause: Sequence[str], at: int) -> list[int]:
    """What a level is about: 0 prices, 1 ratings; the nearer, at a tie what follows."""
    back = clause[at - 1] in {"of", "is", "are", "as", "rated", "rate"} if at else False
    best: dict[int, float] = {}
    for i, word in enumerate(clause):
        side = 0 if word in PRICE else 1 if word in RATING else None
        far = at - i > 6 or i - at > 3 or (i > at and "and" in clause[at:i])
        if side is not None and not far and clause[i + 1 : i + 2] != ["service"]:
            distance = abs(i - at) + 3 * ("and" in clause[i:at]) + 0.5 * ((i < at) != back)
            best[side] = min(distance, best.get(side, 99))
    if "both" in clause[:at] and len(best) == 2:
        return [0, 1]
    return [min(best, key=lambda side: best[side])] if best else []


def _denied(clause: Sequence[str], at: int) -> bool:
    """Whether a negation before a word reaches it; "non family friendly" keeps its own."""
    for i in range(at - 1, max(-1, at - 5), -1):
        if clause[i] in {"and", ","}:
            return False
        if clause[i] in NOT and clause[i] != "free":
            return not (YOUNG | {"only", "friendly"}) & set(clause[max(0, i - 2) : i + 4])
    return False


def _family(clause: Sequence[str]) -> Iterator[Claim]:
    for i, word in enumerate(clause):
        after = list(clause[i + 1 : i + 6])
        if word in YOUNG and not TOPIC & set(after[:2]):
            around = [*_until(clause[max(0, i - 6) : i][::-1]), *_until(after)]
            value = "no" if NOT & set(around) else "yes"
            yield Claim("familyFriendly", frozenset([value]), False, i)
            return
        if word in ADULT:
            yield Claim("familyFriendly", frozenset(["no"]), False, i)
            return


def _until(words: Sequence[str]) -> list[str]:
    """The words before the first that starts something else."""
    ends = [i for i, word in enumerate(words) if word in {"and", ","}]
    return list(words[: ends[0]] if ends else words)


def faults(names: Sequence[str], records: Sequence[Record], answer: str) -> list[str]:
    """What an answer says that the records do not.

    Args:
        names: The names asked about.
        records: Their records, in the same order; an empty one where the place does not exist.
        answer: The answer.

    Returns:
        "attribute: what is said (place)" for each fault; empty where everything holds.
    """
    known = [*names, *(r["near"] for r in records if "near" in r and r["near"] not in names)]
    words, foreign = tokens(answer, known)
    found = [f"name: {name}" for name in foreign]
    about, last, before = [0], [], []
    for clause in clauses(words):
        gone = denied(clause, before, len(names)) if clause else []
        found += [f"name: denied ({names[place]})" for place in gone if records[place]]
        before = clause
        said = spoken(clause)
        by = _near_whom(said, len(names))
        asked = [int(w[1:]) for w in clause if w[0] == "@" and int(w[1:]) < len(names)]
        asked = [name for name in asked if name not in by]
        if asked:
            about = list(dict.fromkeys(asked))
        elif {"both", "they"} & set(clause):
            about = list(range(len(names)))
        made = list(claims(said))
        if not made and asked and {"too", "also", "so", "same", "does"} & set(said):
            made = last
        last = made or last
        for place in about:
            found += [f for c in made for f in _against(c, records[place], names[place])]
        for place in about:
            near = records[place].get("near")
            found += [f"near: {known[n]} ({names[place]})" for n in by if known[n] != near]
    return list(dict.fromkeys(found))


def _near_whom(clause: Sequence[str], asked: int) -> list[int]:
    """Names that a place is near to: every name not asked for, and B in "A is near B"."""
    marks = [(i, int(word[1:])) for i, word in enumerate(clause) if word[0] == "@"]
    by = [name for _, name in marks if name >= asked]
    if marks and not by:  # "near A is X" and "X is near A" say where X is
        at, name = marks[-1]
        before = " ".join(clause[max(0, at - 2) : at])
        if before.endswith((" near", "beside", "opposite", "close to", "next to")):
            by.append(name)
    return by


def _against(claim: Claim, record: Record, name: str) -> list[str]:
    """The claim in words, unless the record bears it out."""
    value = record.get(claim.attribute, "").lower()
    if claim.attribute in {"priceRange", "customer rating"} and value:
        value = LEVEL_OF.get(value.split()[0], value)
    holds = value and (value in claim.meanings) != claim.denied
    said = "not " * claim.denied + "/".join(sorted(claim.meanings))
    return [] if holds else [f"{claim.attribute}: {said} ({name})"]
