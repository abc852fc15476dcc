"""How training wordings ask what a place is and what it serves.

Attribute → topics, clauses, questions and comparisons, one a line; `phrases` says what they are.
"""

from __future__ import annotations

from collections.abc import Mapping

OFFER: Mapping[str, tuple[str, str, str, str]] = {
    "eatType": (
        """
type of place
kind of venue
type of establishment
sort of venue
kind of place
sort of place
type of venue
kind of establishment
sort of establishment
type of eatery
kind of eatery
sort of eatery
venue category
type of business
kind of business
type
class of venue
nature of the place
classification
sort of outlet
type of spot
kind of joint
line of business
sort of business
sort of spot
kind of spot
type of joint
venue type
category
place type
""",
        """
what type of place {s} is
what kind of venue {s} is
what sort of place {s} is
what type of venue {s} is
what kind of establishment {s} is
which sort of venue {s} counts as
what kind of eatery {s} is
what sort of eatery {s} is
what type of eatery {s} might be
what type of establishment {s} is
what sort of establishment {s} is
which kind of establishment {s} is
what category {s} falls into
under which category {s} is listed
what venue type {s} has
how {s} is classified
how {s} is categorised
what {s} is classed as
what {s} is: a pub, a coffee shop or a restaurant
whether {s} is a pub, a restaurant or a coffee shop
whether {s} is more of a pub or a café
whether {s} counts as a restaurant
whether {s} is a pub
if {s} is a coffee shop
if {s} is a café, a pub or something else
what sort of business {s} runs
what {s} calls itself, pub or restaurant
what exactly {s} is
what kind of joint {s} is
what sort of spot {s} is
what manner of place {s} is
which type of venue one finds at {s}
as what type of place {s} is listed
what kind of place {s} is
whether {s} is a pub or something else
""",
        """
What type of place is {s}?
What kind of venue is {s}?
Is {s} a pub, a restaurant or a coffee shop?
What sort of place is {s}?
What type of venue is {s}?
What kind of establishment is {s}?
Would you call {s} a pub, a coffee shop or a restaurant?
What sort of venue is {s}?
What type of establishment is {s}?
What sort of establishment is {s}?
What type of eatery is {s}?
What kind of eatery would you call {s}?
What sort of eatery is {s}?
Which category does {s} belong to?
What category is {s} listed under?
What venue type is {s}?
How is {s} classified?
How would you classify {s}?
What is {s} classed as?
What is {s}, a pub or a café?
Is {s} more of a pub or a restaurant?
Is {s} a pub?
Is {s} a restaurant?
Is {s} a coffee shop or a pub?
Is {s} a café or something else?
Does {s} count as a restaurant?
Would {s} be a pub or a restaurant?
Are we talking about a pub or a coffee shop in the case of {s}?
What sort of spot is {s}?
What exactly is {s}, pub, café or restaurant?
Which kind of establishment is {s}?
Which type of place do you find at {s}?
As what is {s} listed, pub or restaurant?
What kind of place is {s}?
Is {s} a pub, a café or a restaurant?
""",
        """
Are {a} and {b} the same type of place?
Is {a} the same kind of venue as {b}?
What type of place is {a}, and what type is {b}?
Are {a} and {b} different kinds of place, say a pub and a restaurant?
Do {a} and {b} count as the same sort of venue?
Are {a} and {b} both pubs?
Is one of {a} and {b} a restaurant and the other a pub?
What kind of place is {a}, and what kind of place is {b}?
Are {a} and {b} the same kind of place?
""",
    ),
    "food": (
        """
food
cuisine
style of cuisine
food on offer
sort of food
type of cuisine
kind of cuisine
menu
dishes
kitchen
cooking
cooking style
style of cooking
kind of cooking
food served
dishes served
culinary style
culinary tradition
country's cuisine
national cuisine
origin of the food
fare
meals on offer
kind of dishes
kind of menu
speciality of the kitchen
national style of cooking
sort of dishes
type of food
kind of food
""",
        """
what food {s} serves
what kind of food {s} offers
which cuisine {s} serves
what type of food {s} has
what cuisine {s} offers
what sort of food {s} cooks
which country's cuisine one gets at {s}
what is on the menu at {s}
what kind of menu {s} has
what the menu of {s} is like
what dishes {s} serves
what kind of dishes {s} puts on the table
what sort of meals {s} serves
what the kitchen of {s} cooks
what style of cooking {s} goes in for
which style of food {s} is about
what type of cuisine {s} has
what one can eat at {s}
what there is to eat at {s}
what comes out of the kitchen at {s}
what lands on the plate at {s}
what is on the plate at {s}
what they cook at {s}
what they serve at {s}
what people eat at {s}
which national cuisine {s} is known for
from which country the food at {s} comes
which part of the world the dishes at {s} come from
what the cooking at {s} is like
what culinary style {s} follows
what kind of fare {s} offers
what {s} dishes up
what kind of cuisine you get at {s}
what the chef at {s} cooks
which food is on offer at {s}
what kind of food {s} serves
what cuisine {s} serves
""",
        """
What food does {s} serve?
What kind of food does {s} offer?
Which cuisine does {s} serve?
What type of food does {s} have?
What cuisine does {s} offer?
What can I eat at {s}?
What sort of food can I get at {s}?
Whose cuisine is on the menu at {s}?
What style of food does {s} cook?
What is on the menu at {s}?
What's on the menu at {s}?
What kind of menu does {s} have?
What dishes does {s} serve?
What kind of dishes do they serve at {s}?
What do they cook at {s}?
What does the kitchen of {s} cook?
What does the chef at {s} cook?
What comes out of the kitchen at {s}?
What lands on the plate at {s}?
What is there to eat at {s}?
What will I find on my plate at {s}?
What style of cooking does {s} have?
What is the cooking at {s} like?
What sort of meals does {s} serve?
Which country's cuisine does {s} cook?
From which country is the food at {s}?
Which part of the world does the food at {s} come from?
Which national cuisine is {s} about?
Which style of cuisine does {s} have?
What type of cuisine is served at {s}?
What food is on offer at {s}?
What fare does {s} offer?
What does {s} dish up?
What would we be eating at {s}?
What kind of cooking can we expect at {s}?
How would you describe the food at {s}?
What kind of food does {s} do?
What cuisine does {s} serve?
What do they serve at {s}?
""",
        """
Do {a} and {b} serve the same food?
Is the food at {a} the same as at {b}?
What food does {a} serve, and what does {b} serve?
Does the cuisine of {a} match that of {b}?
Can I get the same kind of food at {a} and at {b}?
Is the menu at {a} from the same country as the one at {b}?
Do they cook the same way at {a} and {b}?
What kind of food do {a} and {b} serve?
""",
    ),
}
"""Attribute → topics, clauses, questions, comparisons."""
