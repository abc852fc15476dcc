"""The frames of training wordings; `wordings` says what each form's placeholders mean."""

from __future__ import annotations

from collections.abc import Mapping

from dera_rag.evaluation.venues.training_lists import COMPARE, TOPICS
from dera_rag.evaluation.venues.training_single import CLAUSES, QUESTIONS

_DESCRIBE = """
Tell me about {name}.
What is {name} like?
Describe {name}.
Can you describe {name} for me?
What can you tell me about {name}?
What do you know about {name}?
Give me an overview of {name}.
I'd like to know more about {name}.
Could you tell me something about {name}?
Please describe {name} in a sentence or two.
I have never heard of {name}. What is it like?
Write a short description of {name}.
Sum up {name} for me.
How would you describe {name}?
Someone mentioned {name}. What should I know about it?
Do you have any information on {name}?
Introduce {name} to a visitor.
I'm thinking of going to {name}. What can I expect?
Any details on {name}?
What does the guide say about {name}?
We might go to {name} tonight. Tell us about it.
Give me the details of {name}.
Fill me in on {name}.
{name}: what is it like?
What should I expect from {name}?
Could you give me a short summary of {name}?
Tell us a bit about {name}, please.
I wonder what {name} is like.
Write a sentence or two about {name}.
A friend suggested {name}. Can you describe it?
What information is there on {name}?
How would you sum up {name}?
Please introduce {name}.
I know nothing about {name}. What is there to say about it?
My sister wants to hear about {name}.
My parents are asking about {name}. What can I tell them?
If we went to {name}, what would we find?
In a few words, what is {name}?
In one or two sentences, describe {name}.
Without too much detail, what is {name} like?
As a visitor, what should I know about {name}?
I keep hearing about {name}. What kind of a place is it, all in all?
We walked past {name} yesterday. What is it like?
I need a short text about {name}.
So, what about {name}?
{name} was recommended to us. What do you know about it?
Is there anything to say about {name}? Please tell me.
There is a place called {name}. Can you tell me about it?
The place is called {name}. Describe it, please.
I'm writing about {name}. What are the facts?
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
What sort of impression does {name} make?
Brief me on {name}.
Is {name} worth hearing about? Share what you've got.
Should I try {name}? Describe the place first.
You must know {name}. Say a few words about it.
Kindly provide some background on {name}.
Let me hear all about {name}.
Explain to a newcomer what {name} is.
{name} – could you talk me through it?
Next on my list is {name}. Please characterise it.
What would a regular say about {name}?
Got a minute to go over {name} with me?
Would you outline {name} for me?
Sketch {name} in a couple of lines.
Your thoughts on {name}, please.
What's the deal with {name}?
What's {name} all about?
Run me through {name}.
Bring me up to speed on {name}.
Pull up whatever you have on {name}.
Show me what you have under {name}.
Look up {name} and tell me what it says.
Read me the entry on {name}.
Is {name} in the guide? What does it say?
I'd welcome a profile of {name}.
Please draw up a brief portrait of {name}.
A few facts on {name} would be great.
Can we have the basics on {name}?
List what is known about {name}.
Which facts are recorded for {name}?
How does the guide present {name}?
How would a guidebook put {name} in a nutshell?
I booked us into {name} without checking. What did I choose?
Our meeting was moved to {name}. What can we expect?
My date picked {name}. What do I need to know?
The hotel pointed us to {name}. Can you say more?
They want to throw the party at {name}. Any information?
Does the name {name} ring a bell? Describe it, please.
Imagine I'm a tourist. How would you present {name} to me?
Tell a stranger about {name}.
Explain {name} to me.
Help me get an idea of {name}.
I'm curious about {name}.
I'm after information about {name}.
I'm looking into {name}; what have you found out?
I was told to ask you about {name}.
We have {name} in mind for dinner. What's it like?
We were given a voucher for {name}. What is it?
People talk a lot about {name}. What are the facts?
Something about {name}, please.
A summary of {name} would help.
Details for {name}, please.
Information request: {name}.
Subject: {name}. Please describe.
Concerning {name}, what do the records hold?
With regard to {name}, please summarise what you know.
It would be kind of you to tell us about {name}.
May I ask what {name} is like?
Might you be able to describe {name}?
One paragraph on {name}, please.
{name}, please.
{name}?
{name} - what is it like?
{name}: good to know?
{name}, what's that?
{name}, the facts
what is {name} like
tell me about {name}
can you describe {name}
info on {name} please
everything about {name}, please
anything you can tell me about {name}?
any information about {name}
got anything on {name}
whats {name} like?
need a brief description of {name}
what about {name}
whats up with {name}
gimme the gist of {name}
who knows {name}? whats it like
describe {name} pls
is {name} any good, what do they have
summary of {name}
"""

FRAMES: Mapping[str, str] = {
    "describe": _DESCRIBE,
    "clauses": CLAUSES,
    "questions": QUESTIONS,
    "topics": TOPICS,
    "compare": COMPARE,
}
"""Form → its frames, one a line."""
