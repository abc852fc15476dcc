"""The frames of held-out wordings; nothing is trained or tuned on them."""

from __future__ import annotations

from collections.abc import Mapping

_DESCRIBE = """
Could you describe {name} for me?
Please describe {name} in a few sentences.
Can you give me some information about {name}?
I'm looking for information on {name}.
Do you have any details on {name}?
What sort of place is {name}, and what should I know about it?
Hi, can you tell me a bit about {name}?
Hello, I'd like a short description of {name}, please.
Give me the main facts about {name}.
What can you find in the guide about {name}?
A friend mentioned {name}. What is it like?
We might go to {name} tonight. What should we know?
I'm thinking of having lunch at {name}. Can you tell me what it's like?
I've never heard of {name}. What is it?
My sister wants to meet at {name}. Can you fill me in?
We're new in town and keep hearing about {name}. Could you tell us more?
Please sum up what you know about {name}.
Could you write a short summary of {name}?
Tell me everything you know about {name}. Thanks!
What would you say about {name} to someone who has never been?
I need a short description of {name} for my group.
Any information about {name} would be great.
Can I have the details for {name}, please?
Before we book, what can you say about {name}?
What are the basics on {name}?
I'm considering {name} for a night out. Could you describe it?
tell me more about {name} please
hi whats {name} all about
info on {name} pls
can you give me a short discription of {name}
{name} please, just the key facts
"""
_CLAUSES = """
Please could you tell me {clause}?
Do you happen to know {clause}?
I'd love to know {clause}.
I was wondering {clause}.
Please check {clause}.
Could you find out {clause}? Thanks!
I can't work out {clause}. Can you help?
I'm not sure {clause}. Could you check?
My sister keeps asking {clause}.
My mum asked me {clause}. What should I tell her?
We're choosing somewhere for tonight and want to know {clause}.
I just need to know {clause}, thanks.
Hello, please let me know {clause}.
Hi, I'm trying to find out {clause}.
What I'd really like to know is {clause}.
Before we set off, can you tell us {clause}?
My friends and I would like to know {clause}.
Does anyone know {clause}?
Is it possible to tell me {clause}?
can you tell me {clause} please
pls tell me {clause}
just want to kno {clause}
hi i need to know {clause}
"""
_QUESTIONS = """
{Question} Thanks in advance!
{Question} I've never been there.
{Question} I'd like to know before I go.
{Question} We're thinking of going tonight.
{Question} A short answer is fine.
{Question} I couldn't find anything online.
{Question} My parents are visiting and want to know.
Hi there, {question}
Hello! {Question}
Hi, quick one: {question}
Sorry if this is obvious, but {question}
We're planning a night out. {Question}
I'm meeting some friends later. {Question}
Just wondering, {question}
One more question: {question}
Good evening, {question}
I'm new in town. {Question}
Can you help me with this? {Question}
Could you check something for me? {Question}
If you know, {question}
{Bare}, do you know?
hi {bare}
hello can you tell me, {bare}
hey {bare} thanks
{bare} pls
quick quesiton, {bare}
"""
_TOPICS = """
What can you tell me about the {topics} of {name}?
I need to know the {topics} of {name}.
I'd like to know the {topics} of {name}, please.
Please give me the {topics} of {name}.
Could you look up the {topics} of {name}?
Do you know the {topics} of {name}?
Can you find the {topics} of {name} for me?
Can you tell me the {topics} of {name}? Thank you!
For {name}, I'd like the {topics}.
About {name}: can you tell me the {topics}?
I'm thinking of trying {name}. Could you tell me the {topics}?
I might go to {name} but don't know the {topics}. Can you help?
A friend mentioned {name}. Do you have the {topics}?
We're deciding on dinner. What does the guide say about the {topics} of {name}?
Hello, please send me the {topics} of {name}.
Just the {topics} of {name}, please.
Is there any information on the {topics} of {name}?
My friend is asking about the {topics} of {name}.
what about the {topics} of {name}
show me the {topics} of {name}
hi can i get the {topics} of {name}
looking for the {topics} of {name} thx
could you plese list the {topics} of {name}
"""
_COMPARE = """
Can you compare {a} and {b} by their {topics}?
Please compare {a} with {b} on {topics}.
How do {a} and {b} compare when it comes to {topics}?
How does {a} compare to {b} for {topics}?
How do {a} and {b} differ in their {topics}?
Is there any difference between {a} and {b} in {topics}?
What's the difference between {a} and {b} when it comes to {topics}?
Are {a} and {b} the same when it comes to {topics}?
Is {a} different from {b} in its {topics}?
Is {a} anything like {b} in terms of {topics}?
Give me the {topics} of {a} and then of {b}, please.
I'd like to know the {topics} of {a} and of {b}.
I need the {topics} for both {a} and {b}.
Could you tell me the {topics} of {a} and of {b}?
Can you list the {topics} for {a} and {b} so I can compare them?
I can't decide between {a} and {b}. Can you compare their {topics}?
I'm choosing between {a} and {b}. What can you tell me about the {topics} of each?
We're torn between {a} and {b}. How do they compare on {topics}?
My friend suggested {a} and I suggested {b}. How do they differ in {topics}?
We could go to {a} or {b} tonight. Please compare their {topics}.
Hi, could you compare {a} and {b} for me? I only care about the {topics}.
Hello, I'd like a comparison of {a} and {b} on {topics}.
What does the guide say about the {topics} of {a} and {b}?
For {a} and {b}, please tell me the {topics} of each.
Looking at {topics}, is {a} similar to {b}?
When it comes to {topics}, how is {a} different from {b}?
Do you know the {topics} of {a} and {b}? I want to compare them.
Just the {topics} of {a} and {b}, please.
Thinking about {topics}, how do {a} and {b} compare?
{a} or {b}? Compare their {topics} for me.
{a} vs {b}, {topics} please
how do {a} and {b} compare for {topics}
can you tell me the {topics} of {a} and {b} please
whats diferent about the {topics} of {a} and {b}
"""

FRAMES: Mapping[str, str] = {
    "describe": _DESCRIBE,
    "clauses": _CLAUSES,
    "questions": _QUESTIONS,
    "topics": _TOPICS,
    "compare": _COMPARE,
}
"""Form → its frames, one a line."""
