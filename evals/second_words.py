"""The words and names that the second check knows, apart from those of the first matcher.

A text becomes lower-case words with every name masked, so that "The Cheap Teapot" is no price.
"""

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher


def _set(words: str) -> set[str]:
    return set(words.split())


# Attribute → what is meant → the words for it; "_" joins words, "|" separates possible meanings.
WORDS = {
    "eatType": {
        "coffee shop": "coffee_shop coffee_shops coffee_house cafe",
        "pub": "pub pubs tavern",
        "restaurant": "restaurant restaurants",
    },
    "food": {
        "chinese": "chinese chines",
        "english": "english british",
        "fast food": "fast_food fast_foods burger burgers hamburger hamburgers",
        "french": "french",
        "indian": "indian",
        "italian": "italian pasta pizza spaghetti",
        "japanese": "japanese sushi",
        "another": "american greek korean mexican spanish thai turkish vegan vegetarian vietnamese",
    },
    "priceRange": {
        "low": "cheap cheaply inexpensive less_expensive budget_friendly",
        "low|mid": "affordable affordably",
        "high": "expensive pricey costly pricy overpriced",
    },
    "area": {
        "city centre": "city_centre city_center centre_of center_of heart_of middle_of town_centre "
        "town_center downtown centrally",
        "riverside": "riverside river riverbank riverfront waterfront thames",
        "another": "outskirts suburb suburbs suburban countryside village",
    },
}
PHRASES = {
    tuple(phrase.split("_")): (attribute, frozenset(meaning.split("|")))
    for attribute, meanings in WORDS.items()
    for meaning, phrases in meanings.items()
    for phrase in phrases.split()
}
# A level → its meaning as a price and as a rating; "" is neither.
LEVELS = {
    word: (frozenset(filter(None, price.split("|"))), frozenset(filter(None, rating.split("|"))))
    for words, price, rating in (
        ("low lower lowest lowly", "low", "low"),
        ("poor poorly bad badly terrible mediocre", "", "low"),
        ("moderate moderately average averagely averaged medium mid middle", "mid", "mid"),
        ("reasonable reasonably fair fairly", "low|mid", ""),
        ("decent decently", "low|mid", "mid|high"),
        ("good well", "", "mid|high"),
        ("high higher highest highly", "high", "high"),
        ("top excellent great outstanding superb perfect fantastic", "", "high"),
    )
    for word in words.split()
}
PRICE = _set("price prices priced pricing pricey range ranges ranged cost costs costing")
RATING = _set(
    "rating ratings rated rate rates ranked customer customers review reviews reviewed reviewers "
    "score scores scored stars visitors guests"
)
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "twenty": 20, "thirty": 30}
YOUNG = _set("family families kid kids child children childrens toddlers")
ADULT = _set("adult adults")
UNTIL = _set("less under below lower cheaper maximum most within")
BEYOND = _set("more over above higher exceed exceeds exceeding least upwards + minimum")
# Negations, and words about what a source says: together, or alone with "un-", nothing is said.
NOT = _set("not no non never neither nor without unfriendly unsuitable unwelcome free leave")
UNSAID = _set(
    "information info record records recorded mention mentions mentioned state states stated say "
    "says said list lists listed find found know known give given gives specify "
    "specified detail details data clear sure tell certain entry heard indicate indicated noted "
    "guide listing passages called named "
    "unknown unclear unspecified unlisted unsure unstated unmentioned idea trace"
)
ALONE = {word for word in UNSAID if word.startswith("un")}
# A clause with a negation and none but these words denies the place itself: any word about food,
# prices and so on would make it a clause about that.
GONE = _set("nothing unable failed missing absent nowhere nonexistent exist exists appear appears")
EXISTENCE = (
    UNSAID
    | NOT
    | GONE
    | _set(
        "there is are was were be been being i we do does did have has had can could seem seems to "
        "a an the this that it they in of on about for from regarding with by under at all here "
        "anywhere anything any locate see include includes included contain contains hold holds "
        "available existing single aware familiar name my our its database directory book "
        "source sources passages context sorry either itself me you place places "
        "unfortunately venue venues such so i'm"
    )
)
VERBS = _set("is are was has serves offers costs lies sits gets charges welcomes")
# Where a conjunction ends a statement, and what begins the next.
BREAKS = _set("but while whereas although though however yet ; whilst")
STARTS = _set("it its they their you customers prices meals there i a the also is has")
# Ordinary words that people write with a capital.
PLAIN = _set(
    "the a an it its it's i'd also there there's this that these they he she i i'm we you in on "
    "at by of to from for with if as and & or but while whereas however although though both "
    "neither not no yes sorry unfortunately located situated near nearby close next find looking "
    "serving meals meal dishes food cuisine place venue area city centre center coffee shop fast "
    "friendly only star customer out whether what how where which nothing none according gbp euros "
    "pounds foods your service is are has type oriented offers offering"
)
PLAIN |= {part for phrase in PHRASES for part in phrase} | set(LEVELS) | YOUNG | ADULT
PLAIN |= PRICE | RATING | set(NUMBERS) | NOT | UNSAID | UNTIL | BEYOND
# A star, or the first word of a record's price or rating → the level it stands for.
LEVEL_OF = {"1": "low", "3": "mid", "5": "high"} | dict.fromkeys(["cheap", "less", "low"], "low")
LEVEL_OF |= dict.fromkeys(["moderate", "average", "£20-25"], "mid") | {
    "more": "high",
    "high": "high",
}
OUTSIDE = {"outside", "north", "south", "east", "west"}
QUALITY = {"end", "quality", "class", "street", "standard", "standards"}
DIGIT = "[0-5]|one|two|three|four|five"
TOKEN = re.compile(r"[@~]\d+|\d+(?:\.\d+)?|\w+(?:['-]\w+)*|[+&.,;:!?]")


def plain(text: str) -> str:
    """Without accents and typographic quotes; case is kept."""
    text = unicodedata.normalize("NFKD", text.replace("’", "'"))
    return "".join(c for c in text if not unicodedata.combining(c))


def tokens(text: str, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Lower-case words with `@i` for the i-th name and `~i` for foreign names, and the latter."""
    text = plain(text)
    for i, name in sorted(enumerate(names), key=lambda pair: -len(pair[1])):
        words = [re.escape(word) for word in plain(name).split()]
        if words[0].lower() == "the" and len(words) > 2:
            words = ["(?:the " + words[1] + "|" + words[1] + ")", *words[2:]]
        spelled = " ".join("(?:&|and)" if w in {r"\&", "and"} else w for w in words)
        text = re.sub(rf"(?<![\w@]){spelled}(?!\w)", f"@{i}", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=[a-z])n't\b|(?<=\bcan)not\b", " not", text)
    text = re.sub(r"(?<=\w)-(?=\w)|[£–—]|\bL(?=\d)", " ", text)
    text = re.sub(rf"\b({DIGIT}) ?(?:out of|out|of|/) ?(?:5|five)\b", r"\1 stars", text, flags=re.I)
    for level, beyond in (
        ("high", "above|higher than|better than|more than"),
        ("low", "below|under|lower than|less than|worse than"),
    ):
        text = re.sub(rf"\b(?:{beyond})(?: the)? average\b", level, text, flags=re.IGNORECASE)
    found = TOKEN.findall(re.sub(r"\btwenty five\b", "25", text, flags=re.IGNORECASE))
    foreign: list[str] = []
    out: list[str] = []
    while found:
        size = _name_length(found)
        run, start = found[:size], not out or out[-1] in ".!?"
        if size and _is_foreign(run, start, names):
            out.append(f"~{len(foreign)}")
            foreign.append(" ".join(run))
        else:
            out += [word.lower() for word in found[: max(size, 1)]]
        found = found[max(size, 1) :]
    return out, foreign


def _name_length(words: Sequence[str]) -> int:
    """Words in the run of capitalised words that begins here, joined by "and", "of" or "&"."""
    size = 0
    for i, word in enumerate(words):
        if word[0].isupper():
            size = i + 1
        elif i == 0 or size < i or word not in {"&", "and", "of"}:
            break
    return size


def _is_foreign(run: Sequence[str], start: bool, names: Sequence[str]) -> bool:
    """Whether a capitalised run names something other than the names or a part of one."""
    words = ["&" if word == "and" else word.lower() for word in run]
    if all(word in PLAIN for word in words):
        return False
    spelled = [f" {plain(name).lower().replace(' and ', ' & ')} " for name in names]
    if any(f" {' '.join(words)} " in name for name in spelled):
        return False
    if start and all(word in PLAIN for word in words[1:]):  # any first word has a capital
        likest = max(
            (SequenceMatcher(None, words[0], n.strip()).ratio() for n in spelled), default=0
        )
        return words[0].endswith("'s") or likest > 0.7
    return True
