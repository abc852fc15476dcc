"""The frames of held-out wordings; nothing is trained or tuned on them."""

from __future__ import annotations

from collections.abc import Mapping

_DESCRIBE = """
Could I get a quick rundown of {name}?
What's your take on {name}?
Has anyone got the lowdown on {name}?
Walk me through what {name} has going for it.
Paint me a picture of {name}.
Enlighten me about {name}, would you?
I spotted {name} on a map. What's the story there?
Someone at work swears by {name}. What's it all about?
Two friends invited me to {name}. What am I in for?
Having never been to {name}, I'd appreciate a description.
Since we're staying close by: what sort of impression does {name} make?
Ahead of the weekend, brief me on {name}.
Is {name} worth hearing about? Share what you've got.
Should I try {name}? Describe the place first.
You must know {name}. Say a few words about it.
Kindly provide some background on {name}.
Let me hear all about {name}.
Explain to a newcomer what {name} is.
got anything on {name}
whats {name} like?
need a brief description of {name}, cheers
{name} – could you talk me through it?
Next on my list is {name}. Please characterise it.
What would a regular say about {name}?
"""
_CLAUSES = """
I'm curious {clause}.
Could you look up {clause}?
Would you mind telling me {clause}?
Help me figure out {clause}, please.
Nobody here seems to remember {clause}. Do you?
It's for my husband: he'd like to learn {clause}.
Since you have the listings, could you explain {clause}?
Ahead of our anniversary, I have to find out {clause}.
can u say {clause}
Not sure if you can help, but I'm wondering {clause}.
"""
_QUESTIONS = """
{Question} Cheers!
{Question} Asking for a neighbour.
Hey, {question}
Out of curiosity, {question}
Now that I think of it: {question}
Since we're in the neighbourhood this weekend, {question}
A colleague put this to me and I had no answer. {Question}
ok so {bare}
As far as you know, {question}
Pardon me – {question}
"""
_TOPICS = """
Can you share the {topics} of {name} with me?
Kindly state the {topics} of {name}.
Regards {name}: which {topics} are listed?
My boss is after the {topics} of {name}.
Ahead of the weekend, could we get the {topics} of {name}?
Help me out with the {topics} of {name}.
Let us know {name}'s {topics}, will you?
I'd be grateful for the {topics} of {name}.
need {topics} for {name} asap
Concerning {name}, could you name its {topics}?
"""
_COMPARE = """
Between {a} and {b}, what changes as regards {topics}?
How does {a} measure up against {b} in {topics}?
Weigh {a} against {b} in terms of {topics}.
Where do {a} and {b} part ways on {topics}?
Looking only at {topics}, contrast {a} and {b}.
Explain how {a} and {b} differ with respect to {topics}.
My husband likes {a}, I like {b}. Please compare the {topics}.
Our choice is down to {a} and {b}; what are the {topics} of each?
Ahead of the weekend, run me through the {topics} of {a} and {b}.
Should we pick {a} or {b}? It depends on {topics}.
I've shortlisted {a} and {b}. Could you line up their {topics}?
Are there differences between {a} and {b} in {topics}?
Kindly state the {topics} for {a} as well as for {b}.
Let me see {a} next to {b}: {topics}, please.
How similar are {a} and {b} in {topics}?
Draw a comparison between {a} and {b} regarding {topics}.
Considering {topics}, how do {a} and {b} stack up?
Could you break down the {topics} of {a} and {b}?
In what way are {a} and {b} unlike each other in {topics}?
need the {topics} for {a} and also {b}
{a} against {b}: how about {topics}?
whats the difference in {topics} between {a} and {b}
"""

FRAMES: Mapping[str, str] = {
    "describe": _DESCRIBE,
    "clauses": _CLAUSES,
    "questions": _QUESTIONS,
    "topics": _TOPICS,
    "compare": _COMPARE,
}
"""Form → its frames, one a line."""
