"""Training frames around a list of topics, one a line."""

TOPICS = """
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
My sister wants to know the {topics} of {name}.
If you can, tell us the {topics} of {name}.
I'm planning an evening at {name}. What are its {topics}?
We are thinking about {name}. Please tell us its {topics}.
Someone asked me about {name}. What are the {topics}?
All I need is the {topics} of {name}.
From the guide: what are the {topics} of {name}?
About {name}: please tell me the {topics}.
Regarding {name}, I need the {topics}.
With {topics} in mind, what can you say about {name}?
In terms of {topics}, what is {name} like?
Can you share the {topics} of {name} with me?
Kindly state the {topics} of {name}.
Regards {name}: which {topics} are listed?
My boss is after the {topics} of {name}.
Could we get the {topics} of {name}?
Help me out with the {topics} of {name}.
Let us know {name}'s {topics}, will you?
I'd be grateful for the {topics} of {name}.
Concerning {name}, could you name its {topics}?
What do you know about the {topics} of {name}?
What do the records give as the {topics} of {name}?
What is on record about the {topics} of {name}?
How about the {topics} of {name}?
How would you describe the {topics} of {name}?
Do you have the {topics} of {name}?
Does the guide mention the {topics} of {name}?
Any information on the {topics} of {name}?
Any idea of the {topics} of {name}?
Is anything known of the {topics} of {name}?
Would you tell me the {topics} of {name}?
Would you mind checking the {topics} of {name}?
Can you find the {topics} of {name}?
Can you fill in the {topics} of {name}?
Can anyone tell me the {topics} of {name}?
May I have the {topics} of {name}?
Describe {name}: {topics}.
Describe the {topics} of {name}.
Describe {name} with respect to {topics}.
Outline the {topics} of {name}, please.
Report the {topics} of {name}.
State {name}'s {topics}.
Name the {topics} of {name}.
Note down the {topics} of {name} for me.
Read me the {topics} of {name}.
Find me the {topics} of {name}.
Check the {topics} of {name} for us.
Explain the {topics} of {name} to me.
Run through the {topics} of {name}.
Fill me in on the {topics} of {name}.
Brief me on {name}: {topics}.
Tell me about the {topics} of {name}.
Tell me about {name}, especially its {topics}.
Let me have {name}'s {topics}.
Please send me the {topics} of {name}.
Please provide {topics} for {name}.
I want details of {name}: {topics}.
I want to hear about the {topics} of {name}.
I'm curious about the {topics} of {name}.
I'm after the {topics} of {name}.
I'm unsure about the {topics} of {name}.
I'm looking for the {topics} of {name}.
I can't recall the {topics} of {name}.
I have to write down the {topics} of {name}.
I couldn't find the {topics} of {name}. Can you?
We need to know {name}'s {topics}.
We'd like to learn the {topics} of {name}.
My friends asked for the {topics} of {name}.
Our form asks for the {topics} of {name}.
It's the {topics} of {name} I'm asking for.
It would help to have the {topics} of {name}.
When it comes to {topics}, what is {name} like?
As regards {topics}, how is {name}?
As for {topics}, what does {name} have?
On {topics}: what do you have for {name}?
With regard to {name}: its {topics}?
Only the {topics} of {name}, please.
Just {name}'s {topics}.
The {topics} of {name}, if you know them.
Wanted: {topics} of {name}.
{name}, {topics}, please.
{name} - {topics}
{name}: {topics}
{name} – what are its {topics}?
{name}'s {topics}?
{topics}: {name}?
what are the {topics} of {name}
{topics} of {name}?
{topics} of {name} please
give me {name}'s {topics}
could you check the {topics} of {name}?
i need the {topics} for {name}
need {topics} for {name}
whats the {topics} of {name}
{name} {topics}
{name}, what about {topics}
any info on {topics} of {name}
"""

COMPARE = """
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
My sister can't decide between {a} and {b}. What are their {topics}?
For tonight it is {a} or {b}. How do they compare on {topics}?
If you look at {topics}, how do {a} and {b} differ?
On {topics}, how does {a} compare with {b}?
In terms of {topics}, what is the difference between {a} and {b}?
Going by {topics}, how do {a} and {b} compare?
When it comes to {topics}, compare {a} and {b}.
What are the {topics} of {a} and {b}?
I'm deciding between {a} and {b}. How do they differ in {topics}?
It's either {a} or {b} for us. Please compare their {topics}.
Our guests like both {a} and {b}. What about their {topics}?
Please tell us the {topics} of {a} and those of {b}.
From the guide, give me the {topics} of {a} and {b}.
{a} and {b}: what are their {topics}?
{a} or {b}? I care about {topics}.
Between {a} and {b}, what changes as regards {topics}?
How does {a} measure up against {b} in {topics}?
Weigh {a} against {b} in terms of {topics}.
Where do {a} and {b} part ways on {topics}?
Looking only at {topics}, contrast {a} and {b}.
Explain how {a} and {b} differ with respect to {topics}.
My husband likes {a}, I like {b}. Please compare the {topics}.
Our choice is down to {a} and {b}; what are the {topics} of each?
Run me through the {topics} of {a} and {b}.
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
{a} against {b}: how about {topics}?
Are {a} and {b} alike in {topics}?
Does {a} differ from {b} in {topics}?
Is there a difference in {topics} between {a} and {b}?
Is {a} like {b} as far as {topics} goes?
Do {a} and {b} match on {topics}?
Do {a} and {b} have anything in common as to {topics}?
What do {a} and {b} share in {topics}?
What distinguishes {a} from {b} in {topics}?
What are the differences between {a} and {b}, {topics} only?
What would change in {topics} if we swapped {a} for {b}?
What {topics} does {a} have, and what does {b} have?
Which {topics} does the guide give for {a} and for {b}?
How far apart are {a} and {b} in {topics}?
How does {b} differ from {a}, going by {topics}?
How do {a} and {b} fare on {topics}?
How would you rank {a} and {b} side by side on {topics}?
In {topics}, are {a} and {b} the same?
With respect to {topics}, set out how {a} and {b} differ.
With {topics} in mind, compare {a} with {b}.
Judging by {topics}, how do {a} and {b} differ?
Regarding {topics}: {a} compared with {b}?
Based on {topics}, contrast {a} and {b}.
Measured by {topics}, how does {a} relate to {b}?
Take {a} and {b} and compare their {topics}.
Show the {topics} of {a} beside those of {b}.
Juxtapose {a} and {b} on {topics}.
Line up {a} and {b} by {topics}.
Match {a} against {b} for {topics}.
Hold {a} up against {b}: {topics}?
Walk me through {topics} for {a} and for {b}.
Work out for me how {a} and {b} differ in {topics}.
Spell out the {topics} of {a} and {b}.
Sum up {a} and {b} in terms of {topics}.
Describe {a} and {b} with an eye to {topics}.
Name the {topics} of {a} and of {b}.
Look up {topics} for {a} and {b}, please.
Check the {topics} of {a} against those of {b}.
Find me the {topics} of {a}, and the same for {b}.
Let us know the {topics} of {a} and also of {b}.
Please contrast the {topics} of {a} with those of {b}.
Please report on {topics} for both {a} and {b}.
Would you compare {a} to {b} for {topics}?
Would you say {a} and {b} differ in {topics}?
Can you say how {a} and {b} compare as regards {topics}?
Can you tell {a} and {b} apart by their {topics}?
Could I have {topics} for {a} and {b}?
Could we see how {a} stands against {b} on {topics}?
Do you know the {topics} of {a} and those of {b}?
I want to compare {a} with {b}, mainly on {topics}.
I wonder how {a} and {b} differ in {topics}.
I keep mixing up {a} and {b}. What are their {topics}?
I'm after the {topics} of two places, {a} and {b}.
I'd like to hear the {topics} of {a}, and of {b} too.
We have {a} and {b} on our list. What {topics} do they have?
We know neither {a} nor {b}. What about their {topics}?
We could book {a}, we could book {b}. Tell us the {topics}.
My friends want {a}, my family wants {b}. Compare the {topics}.
Two candidates, {a} and {b}. Compare them by {topics}.
Is it {a} or {b}? What matters to us: {topics}.
The choice is {a} or {b}; {topics} will decide.
Our team voted for {a} and {b}. How do they compare on {topics}?
Comparison wanted: {a} and {b}, by {topics}.
{a} next to {b} - how do they differ in {topics}?
{a} compared with {b}: {topics}?
{a} and {b} - same {topics}?
{a} and {b}, their {topics} please.
{a}, {b}: {topics}
{a} vs {b}, {topics}
{a} vs. {b}: how do their {topics} compare?
compare {a} and {b} on {topics}
compare {a} with {b} by {topics} please
what are the {topics} of {a} and {b}
how do {a} and {b} differ in {topics}
can you compare the {topics} of {a} and {b}
{topics} of {a} and {b}?
{topics}: {a} or {b}?
need the {topics} for {a} and also {b}
whats the difference in {topics} between {a} and {b}
{a} or {b}, {topics}
is {a} any different from {b} in {topics}
how does {a} do against {b} on {topics}
difference between {a} and {b}, {topics}
"""
