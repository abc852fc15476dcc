"""The frames of training wordings; `wordings` says what each form's placeholders mean."""

from __future__ import annotations

from collections.abc import Mapping

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
Before we book, tell us about {name}.
Before I decide: what is {name} like?
Quick check before tonight — what is {name} like?
My sister wants to hear about {name}.
My parents are asking about {name}. What can I tell them?
For a trip with colleagues, what is there to know about {name}?
For an evening out: what is {name} like?
If we went to {name}, what would we find?
In a few words, what is {name}?
In one or two sentences, describe {name}.
Without too much detail, what is {name} like?
As a visitor, what should I know about {name}?
Hello! Could you describe {name}? Many thanks.
Good evening. What can you say about {name}?
Thanks in advance for a few words about {name}.
I keep hearing about {name}. What kind of a place is it, all in all?
We walked past {name} yesterday. What is it like?
I need a short text about {name}.
When you have a moment, tell me about {name}.
So, what about {name}?
Okay, and {name}? What is it like?
what is {name} like
tell me about {name}
can you describe {name}
info on {name} please
everything about {name}, please
anything you can tell me about {name}?
hi, what do you know about {name}?
any information about {name}
{name}, please.
{name}?
{name} - what is it like?
{name} was recommended to us. What do you know about it?
Is there anything to say about {name}? Please tell me.
There is a place called {name}. Can you tell me about it?
The place is called {name}. Describe it, please.
I'm writing about {name}. What are the facts?
"""
_CLAUSES = """
Can you tell me {clause}?
Could you tell me {clause}?
Do you know {clause}?
I'd like to know {clause}.
I want to know {clause}.
Tell me {clause}.
Please tell me {clause}.
Can you find out {clause}?
I'm trying to find out {clause}.
Any idea {clause}?
Could you check {clause}?
My friend asks {clause}.
I need to know {clause}.
Does the guide say {clause}?
Would you happen to know {clause}?
Let me know {clause}.
We were wondering {clause}.
Is it known {clause}?
Could someone tell me {clause}?
Please say {clause}.
I've been asked {clause}.
Have you any idea {clause}?
My sister wants to know {clause}.
My parents keep asking {clause}.
Our guests would like to hear {clause}.
Before we book, tell us {clause}.
Before we set off: do you know {clause}?
For a trip with colleagues, I need to know {clause}.
For tonight, can you tell me {clause}?
If you can, tell me {clause}.
If possible, I'd like to hear {clause}.
Quick check before tonight — do you know {clause}?
Hello, could you tell me {clause}? Thank you.
Hi there! I'd like to find out {clause}.
Sorry to bother you, but do you know {clause}?
I'm making plans. Tell me {clause}.
I forgot to ask {clause}.
I can't remember {clause}. Can you help?
Could you please find out {clause}? Thanks a lot.
It would help to know {clause}.
What I need to know is {clause}.
All I want to know is {clause}.
The question is {clause}.
From the guide, tell me {clause}.
Going by the guide, can you say {clause}?
do you know {clause}
can you tell me {clause}
tell me {clause} please
i want to know {clause}
any idea {clause}
please check {clause}, thanks
"""
_QUESTIONS = """
{Question}
{Question} Thanks.
I'm planning a visit. {Question}
Hi, {question}
Quick question: {question}
One more thing: {question}
According to the guide, {question}
Excuse me, {question}
{Question} I can't remember.
Before we book: {question}
Just checking: {question}
Sorry, {question}
{Bare}
{bare}
{bare}, please
{bare} thanks
{question}
hi {question}
hello, {bare}
{Question} Thank you very much.
{Question} I'd be glad to know.
{Question} My sister wants to know.
{Question} We are going there tonight.
Quick check before tonight — {question}
For a trip with colleagues, {question}
For a birthday dinner, {question}
If I go there tomorrow: {question}
My parents are in town. {Question}
Good morning. {Question}
I'm new here and have a question. {Question}
We can't agree on this. {Question}
Please help me with this one: {question}
Going by the records, {question}
And another thing, {question}
So, {question}
Okay, {question}
Tell me, {question}
"""
_TOPICS = """
What are the {topics} of {name}?
Give me the {topics} of {name}.
Tell me the {topics} of {name}.
{name}: {topics}?
I need the {topics} of {name}.
Please list the {topics} of {name}.
Summarise the {topics} of {name}.
Could you give me the {topics} of {name}?
What does the guide say about the {topics} of {name}?
I'm interested in the {topics} of {name}.
For {name}, what are the {topics}?
Look up the {topics} of {name}.
Please give the {topics} of {name}.
Can I have the {topics} of {name}?
I'd love to know the {topics} of {name}.
Remind me of the {topics} of {name}.
Before we book, what are the {topics} of {name}?
Before tonight I need the {topics} of {name}.
Quick check — what are the {topics} of {name}?
My sister wants to know the {topics} of {name}.
For a trip with colleagues, give me the {topics} of {name}.
If you can, tell us the {topics} of {name}.
Hello! What are the {topics} of {name}? Thanks.
I'm planning an evening at {name}. What are its {topics}?
We are thinking about {name}. Please tell us its {topics}.
Someone asked me about {name}. What are the {topics}?
All I need is the {topics} of {name}.
From the guide: what are the {topics} of {name}?
About {name}: please tell me the {topics}.
Regarding {name}, I need the {topics}.
With {topics} in mind, what can you say about {name}?
In terms of {topics}, what is {name} like?
{name}, {topics}, please.
{name} - {topics}
what are the {topics} of {name}
{topics} of {name}?
{topics} of {name} please
give me {name}'s {topics}
could you check the {topics} of {name}? thank you
i need the {topics} for {name}
"""
_COMPARE = """
Compare {a} and {b} on {topics}.
How do {a} and {b} compare on {topics}?
How do {a} and {b} differ in {topics}?
Compare the {topics} of {a} and {b}.
{a} or {b}: compare their {topics}.
Can you compare {a} with {b} on {topics}?
I can't choose between {a} and {b}. Compare their {topics}.
Tell me the {topics} of both {a} and {b}.
Give me the {topics} of {a} and of {b}.
What is the difference between {a} and {b} in {topics}?
We are torn between {a} and {b}. Tell us their {topics}.
Please compare {a} and {b} by {topics}.
Set {a} against {b} on {topics}.
I'd like a comparison of {a} and {b} on {topics}.
Do {a} and {b} differ in {topics}?
Contrast {a} with {b} on {topics}.
How does {a} compare with {b} in terms of {topics}?
Put {a} and {b} side by side on {topics}.
Could you tell me how {a} and {b} compare in {topics}?
{a} versus {b}: tell me the {topics} of each.
Tell me how {a} differs from {b} in {topics}.
How is {a} different from {b} in {topics}?
Could you compare {a} and {b} with regard to {topics}?
We are choosing between {a} and {b}. What about their {topics}?
I need the {topics} of {a} and {b}.
Help me compare the {topics} of {a} and {b}.
As for {topics}, how do {a} and {b} compare?
List the {topics} of {a}, then of {b}.
What sets {a} apart from {b} in {topics}?
Before we book: how do {a} and {b} compare on {topics}?
Before we decide, compare {a} with {b} on {topics}.
Quick check before tonight — how do {a} and {b} differ in {topics}?
My sister can't decide between {a} and {b}. What are their {topics}?
For a trip with colleagues, compare {a} and {b} on {topics}.
For tonight it is {a} or {b}. How do they compare on {topics}?
If you look at {topics}, how do {a} and {b} differ?
On {topics}, how does {a} compare with {b}?
In terms of {topics}, what is the difference between {a} and {b}?
Going by {topics}, how do {a} and {b} compare?
When it comes to {topics}, compare {a} and {b}.
Hello, can you compare {a} and {b} on {topics}? Thank you.
Hi! What are the {topics} of {a} and {b}?
I'm deciding between {a} and {b}. How do they differ in {topics}?
It's either {a} or {b} for us. Please compare their {topics}.
Our guests like both {a} and {b}. What about their {topics}?
Please tell us the {topics} of {a} and those of {b}.
From the guide, give me the {topics} of {a} and {b}.
{a} and {b}: what are their {topics}?
{a} or {b}? I care about {topics}.
{a} vs {b}, {topics}
compare {a} and {b} on {topics}
compare {a} with {b} by {topics} please
what are the {topics} of {a} and {b}
how do {a} and {b} differ in {topics}
can you compare the {topics} of {a} and {b}
{topics} of {a} and {b}?
"""

FRAMES: Mapping[str, str] = {
    "describe": _DESCRIBE,
    "clauses": _CLAUSES,
    "questions": _QUESTIONS,
    "topics": _TOPICS,
    "compare": _COMPARE,
}
"""Form → its frames, one a line."""
