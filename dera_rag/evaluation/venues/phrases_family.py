"""How training wordings ask whether children may come.

Attribute → topics, clauses, questions and comparisons, one a line; `phrases` says what they are.
"""

from __future__ import annotations

from collections.abc import Mapping

FAMILY: Mapping[str, tuple[str, str, str, str]] = {
    "familyFriendly": (
        """
family friendliness
suitability for families
friendliness to families
attitude to children
suitability for toddlers
suitability for little ones
attitude to kids
attitude towards families
friendliness to kids
friendliness towards children
welcome for families
welcome for children
policy on children
policy on kids
policy on families
stance on children
fitness for families with children
fitness for young children
kid suitability
family policy
children policy
provision for kids
openness to families
appeal to families
child policy
openness to children
friendliness to toddlers
suitability for babies
suitability for young families
child friendliness
suitability for children
""",
        """
whether {s} is family friendly
if {s} welcomes children
whether {s} is suitable for families
whether {s} welcomes families
if {s} is suitable for children
whether one can bring kids to {s}
whether children are welcome at {s}
if {s} is any good for kids
whether {s} is child friendly
if {s} is good with kids
if {s} takes children
if {s} allows children
whether kids are allowed at {s}
whether kids are welcome at {s}
whether little ones are welcome at {s}
whether I can bring my toddler to {s}
whether we can bring the little ones to {s}
whether we can take the children to {s}
whether a family with children can go to {s}
whether families go to {s}
whether {s} is for families or for adults only
whether {s} is for adults only
whether {s} caters for families
whether {s} caters for children
whether {s} has a kids menu
if there is something for kids at {s}
if {s} is a place for young families
if parents with small children are fine at {s}
if {s} is all right for a five-year-old
if toddlers are fine at {s}
how child friendly {s} is
how {s} treats children
what {s} is like with kids
what {s} thinks of families with children
what the attitude of {s} to children is
whether {s} is good for families
whether {s} is suitable for children
whether {s} is kid friendly
""",
        """
Is {s} family friendly?
Does {s} welcome children?
Is {s} suitable for families?
Does {s} welcome families?
Is {s} a good place for children?
Can one bring kids to {s}?
Are children welcome at {s}?
Is {s} the right place for a family with small children?
Is {s} child friendly?
Is {s} kid friendly?
Is {s} good with kids?
Is {s} suitable for toddlers?
Is {s} okay for little ones?
Is {s} fine for a family with kids?
Is {s} for adults only?
Is {s} all right for a five-year-old?
Does {s} take children?
Does {s} allow kids?
Does {s} cater for families?
Does {s} cater for children?
Does {s} have a kids menu?
Do they welcome kids at {s}?
Do families go to {s}?
Are kids welcome at {s}?
Are little ones welcome at {s}?
Are families welcome at {s}?
Can I bring my toddler to {s}?
Can we bring the children to {s}?
Can families with children eat at {s}?
Could we bring our little ones to {s}?
Should I leave the kids at home if I go to {s}?
Would {s} be a place for our kids?
Would a family with toddlers be fine at {s}?
How family friendly is {s}?
How child friendly is {s}?
How does {s} treat children?
What is {s} like with kids?
Is {s} good for families?
Is {s} suitable for children?
Is {s} a good place to take children?
""",
        """
Are both {a} and {b} family friendly?
Are {a} and {b} both suitable for families?
Is {a} family friendly, and is {b}?
Are kids welcome at {a} and at {b}?
Could a family with children go to either {a} or {b}?
Which is better for kids, {a} or {b}?
Can I bring my toddler to {a} as well as to {b}?
Are {a} and {b} both family friendly?
""",
    ),
}
"""Attribute → topics, clauses, questions, comparisons."""
