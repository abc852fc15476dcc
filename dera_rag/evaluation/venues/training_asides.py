"""What people say before and after a question, one aside a line; `wordings` says how it is used."""

OPENINGS = """
Hi,
Hi!
Hi there,
Hello,
Hello!
Hello there,
Hey,
Hey there!
Good morning.
Good morning,
Good afternoon.
Good evening.
Good evening,
Greetings.
Dear guide,
Dear team,
Excuse me,
Excuse me.
Pardon me –
Sorry to bother you,
Sorry to bother you, but
Sorry,
Apologies for the late question.
Thanks for taking my question.
Thanks in advance.
Many thanks in advance!
hi
hello
hey
hiya
hi all,
ok
ok so
so
um
quick one:
morning,
sorry,
question:
Question:
Quick question:
Quick question.
A quick question:
Quick check –
Quick check before tonight —
Just checking:
Just so I know:
Just out of interest,
Out of interest,
Out of curiosity,
One more thing:
One last thing,
One more question.
Another question:
And another thing,
Next question:
Next,
First of all,
First things first:
Now then,
Now that I think of it:
By the way,
Oh, and
Okay,
All right,
Right,
Alright then,
Well,
So,
So then,
Anyway,
Actually,
Let me see:
Hmm,
Listen,
Look,
If I may,
If I may ask,
If you don't mind,
If you have a moment,
If you can help,
If possible,
If it's no trouble,
When you have a moment,
When you get a chance,
While I'm here,
While we're at it,
While you're at it,
Before we book,
Before we book:
Before I decide:
Before I forget:
Before we set off:
Before we leave the house,
Before you go,
Before anything else,
Before making a reservation,
Since you have the guide,
Since we're in the neighbourhood this weekend,
Since we're staying close by:
Since my phone is nearly dead:
As I don't know the town,
As a first-time visitor,
As a favour,
Being new here,
For tonight:
For tomorrow,
For an evening out:
For a birthday dinner,
For a trip with colleagues,
For my notes:
For my travel diary,
For a school project,
For our newsletter,
For the record,
For planning purposes,
Ahead of the weekend,
Ahead of our anniversary,
Ahead of our visit,
In case you know,
In case it's written somewhere:
To settle a bet:
To be on the safe side,
To plan our evening,
From memory,
On another note,
On behalf of a friend:
With guests arriving soon,
With only an hour left,
Without wanting to rush you,
This is urgent.
This is a bit random, but
This may be a silly question:
Not sure whom to ask, but
Not urgent, but
I'm planning a visit.
I'm new here and have a question.
I'm making plans.
I'm in a hurry.
I'm in a bit of a rush, so
I'm writing an article.
I'm putting together a list.
I'm back with another question.
I have a question.
I have one question:
I have a free evening.
I need some help.
I need your help with something.
I could use a hand.
I couldn't find this anywhere.
I hope you can help.
I don't have my guidebook with me.
I've just moved here.
We are off to the coast next week.
We are planning a night out.
We are visiting for two days.
We are a group of eight.
We are here on business.
We just got off the train.
We've got an hour to kill.
We're updating our website.
We're getting hungry.
My parents are in town.
My aunt is visiting.
My brother won't stop asking.
My battery is low.
My friends left the choice to me.
My turn to choose.
Our plans have changed.
Our train is late.
It's our anniversary soon.
It's raining, so we have time.
It's my first time in this city.
Someone has to ask:
Somebody asked me something.
The weekend is coming up.
The others are waiting.
There's something I want to ask.
Help me out here:
Help!
Please help.
Can you help me?
Could you help us?
Can I ask you something?
Mind if I ask?
Do me a favour:
You seem to know the town.
Long story short:
Bear with me:
No rush.
No hurry, but
"""

CLOSINGS = """
Thanks!
Thanks.
Thanks a lot.
Thanks a lot!
Thanks so much!
Thanks in advance.
Thanks for your help.
Thank you.
Thank you!
Thank you very much.
Thank you kindly.
Many thanks.
Much appreciated.
Cheers.
Cheers!
Ta.
Please.
Please!
Please and thank you.
Please be brief.
Please answer soon.
Please let me know.
Please be exact.
Keep it short, please.
A short answer will do.
One sentence is enough.
Just briefly.
No rush.
No hurry.
It's urgent.
It's for my aunt.
It's for a friend.
It's for our newsletter.
It's for a birthday.
It's for tonight.
It's our anniversary.
Asking for a friend.
Asking for my parents.
My sister wants to know.
My husband asked me.
My boss needs it by noon.
My phone is about to die.
Our guests are waiting.
The others are waiting.
We are in a hurry.
We leave in an hour.
We want to go tonight.
We haven't booked yet.
We have to decide soon.
We're a party of six.
I'd be glad to know.
I'd be very grateful.
I can't find it anywhere.
I can't remember.
I keep forgetting.
I need it for my notes.
I'm new in town.
I'm just curious.
I'm in a rush.
I hope you can help.
I've been wondering all day.
That would help.
That would be great.
That's all for now.
That's all, thanks.
Any help is welcome.
Anything helps.
Appreciate it!
Best regards.
Kind regards.
Have a nice day!
Hope you know.
Looking forward to your answer.
Sorry for the trouble.
Sorry to be a pest!
Only if you know.
Only if it's listed.
If you know, of course.
If it isn't too much trouble.
Before we book.
Just so we know.
For planning.
For tonight.
Can you help?
Do you know?
Any idea?
asap please
pls
thx
thank you
many thanks
cheers
need to know soon
if you know
quick answer please
"""
