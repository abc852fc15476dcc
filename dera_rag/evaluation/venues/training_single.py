"""Training frames around a clause or a whole question, one a line."""

CLAUSES = """
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
If you can, tell me {clause}.
If possible, I'd like to hear {clause}.
I forgot to ask {clause}.
I can't remember {clause}. Can you help?
Could you please find out {clause}?
It would help to know {clause}.
What I need to know is {clause}.
All I want to know is {clause}.
The question is {clause}.
From the guide, tell me {clause}.
Going by the guide, can you say {clause}?
I'm curious {clause}.
Could you look up {clause}?
Would you mind telling me {clause}?
Help me figure out {clause}, please.
Nobody here seems to remember {clause}. Do you?
It's for my husband: he'd like to learn {clause}.
Since you have the listings, could you explain {clause}?
I have to find out {clause}.
Not sure if you can help, but I'm wondering {clause}.
What can you tell me about this: {clause}?
Is there any word on {clause}?
Is there a way to learn {clause}?
Are you able to say {clause}?
Can anybody say {clause}?
Has anyone noted {clause}?
Do the records show {clause}?
Do your notes mention {clause}?
Do we know {clause}?
May I ask {clause}?
Might I enquire {clause}?
Kindly inform me {clause}.
Kindly confirm {clause}.
Please look into {clause}.
Please clarify {clause}.
Please remind me {clause}.
Remind us {clause}.
Explain {clause}, please.
Enlighten me: {clause}?
Find out for me {clause}.
See if you can find {clause}.
Check {clause} for me.
Look up {clause}, would you?
I'd be interested to hear {clause}.
I'd be grateful if you told me {clause}.
I'd appreciate knowing {clause}.
I'd love to find out {clause}.
I'm asking {clause}.
I'm not certain {clause}.
I'm keen to learn {clause}.
I am unsure {clause}. Please help.
I wonder {clause}.
I was just asking myself {clause}.
I have no clue {clause}. You?
I still don't know {clause}.
I never learned {clause}. Tell me, please.
We can't work out {clause}.
We need to establish {clause}.
We have yet to find out {clause}.
They asked us {clause}.
My boss insists on hearing {clause}.
My neighbour would love to know {clause}.
The children ask {clause}.
Someone in our group asked {clause}.
There's one thing I'd like to know: {clause}.
It's important for us to know {clause}.
It matters to me {clause}.
It isn't clear to me {clause}.
One point to settle: {clause}.
My question: {clause}?
Still open: {clause}.
Where can I read {clause}?
Who can tell me {clause}?
How do I find out {clause}?
You wouldn't know {clause}, would you?
do you know {clause}
can you tell me {clause}
tell me {clause} please
i want to know {clause}
any idea {clause}
can u say {clause}
need to know {clause}
wondering {clause}
dont know {clause}, help
anyone know {clause}
find out {clause}
"""

QUESTIONS = """
{Question}
{Bare}
{bare}
{question}
{bare}, please
{bare}, any idea
{bare}, anyone?
ok so {bare}
so {question}
right, {bare}
{question} tell me
{Question} I can't remember.
{Question} I forgot.
{Question} Do tell.
{Question} Any idea?
{Question} Can you say?
{Question} Can you look it up?
{Question} Please check.
{Question} Please answer in one sentence.
{Question} A short answer will do.
{Question} Just the facts.
{Question} That's all I want to know.
{Question} That's the question.
{Question} I'd be glad to know.
{Question} I'd like to be sure.
{Question} Nobody could tell me.
{Question} The guide should know.
{Question} What do the records say?
{Question} My sister wants to know.
{Question} Asking for a neighbour.
{Question} Our guests asked me that.
A colleague put this to me and I had no answer. {Question}
We can't agree on this. {Question}
Here is what I want to know. {Question}
Here's one for you: {question}
Help me out. {Question}
Please help me with this one: {question}
Please answer this: {question}
My question is this: {question}
The question is, {question}
What I'm asking is, {question}
What I want to know: {question}
What everybody asks me: {question}
One thing I need to know: {question}
According to the guide, {question}
According to your records, {question}
Going by the records, {question}
Judging by the listing, {question}
As far as you know, {question}
As far as the guide tells, {question}
From what you have on file, {question}
If you had to say, {question}
If you happen to know, {question}
In your records, {question}
To your knowledge, {question}
In short, {question}
In a word: {question}
Remind me, {question}
Tell me, {question}
Say, {question}
So, {question}
And {question}
Well, {question}
"""
