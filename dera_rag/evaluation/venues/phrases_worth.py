"""How training wordings ask what a place costs and how it is rated.

Attribute → topics, clauses, questions and comparisons, one a line; `phrases` says what they are.
"""

from __future__ import annotations

from collections.abc import Mapping

WORTH: Mapping[str, tuple[str, str, str, str]] = {
    "priceRange": (
        """
price range
price level
prices
cost of a meal
costs
budget
price class
price tag
price band
cost level
expense
expensiveness
affordability
menu prices
meal prices
average price
price of a meal
price of a dinner
charges
rates
size of the bill
usual bill
cost of dining
cost of a dinner
typical bill
spending level
price
pricing
cost
""",
        """
how expensive {s} is
what price range {s} is in
how much {s} charges
which price range {s} falls into
how much it costs to eat at {s}
what the prices at {s} are like
how cheap or expensive a meal at {s} is
what {s} costs
how affordable {s} is
how costly {s} is
how cheap {s} is
how dear {s} is
what a meal at {s} costs
what a meal at {s} sets you back
how much dinner at {s} sets you back
what price bracket {s} belongs to
what price level {s} has
what budget one needs for {s}
what budget {s} calls for
how big a budget I need for {s}
how much money I need at {s}
how much I would spend at {s}
how much people pay at {s}
what one pays at {s}
what you have to pay for a meal at {s}
what the bill at {s} comes to
how high the prices at {s} are
whether {s} is cheap or expensive
whether {s} is pricey
if {s} is easy on the wallet
if {s} suits a small budget
what the pricing of {s} is
how hard {s} is on the purse
which price category {s} is in
how much {s} costs
whether {s} is expensive
whether {s} is cheap or pricey
""",
        """
How expensive is {s}?
What is the price range of {s}?
How much does {s} charge?
What does a meal at {s} cost?
Which price range is {s} in?
How much does it cost to eat at {s}?
What are the prices at {s} like?
Is {s} cheap or expensive?
How much would dinner at {s} cost me?
How affordable is {s}?
How costly is {s}?
How cheap is {s}?
Is {s} pricey?
Is {s} easy on the wallet?
Is {s} in my budget, cheap or dear?
Does {s} suit a small budget?
What budget do I need for {s}?
What budget does {s} call for?
How much should I budget for {s}?
How much money should I bring to {s}?
How much do people spend at {s}?
How much do you pay at {s}?
How much does a meal at {s} set you back?
What will dinner at {s} set us back?
What does one pay at {s}?
What does {s} cost?
What do they charge at {s}?
What does the bill come to at {s}?
What price bracket is {s} in?
What price level does {s} have?
What price category does {s} belong to?
What is the pricing at {s} like?
How high are the prices at {s}?
How hard is {s} on the wallet?
Is {s} expensive?
What price range is {s} in?
How much is a meal at {s}?
""",
        """
Are {a} and {b} in the same price range?
Does {a} cost the same as {b}?
How expensive is {a}, and how expensive is {b}?
Are the prices at {a} the same as those at {b}?
Do {a} and {b} cost about as much as each other?
Which is cheaper, {a} or {b}?
Is {a} more expensive than {b}, or the other way round?
Would we need the same budget for {a} as for {b}?
Is {a} cheaper than {b}?
""",
    ),
    "customer rating": (
        """
customer rating
rating by customers
rating among diners
score from customers
ratings
score
star rating
stars
reviews
customer reviews
guest reviews
feedback
customer feedback
reputation
reputation among guests
popularity
popularity with guests
standing with customers
marks from customers
rating by guests
user rating
customer satisfaction
verdict of the customers
opinion of the diners
guests' opinion
evaluation by customers
public rating
rating
customer score
""",
        """
how customers rate {s}
what customer rating {s} has
how well {s} is rated
what rating customers give {s}
how {s} is rated by customers
what score customers have given {s}
how high customers rate {s}
what rating {s} gets
what score {s} has
what score {s} gets from guests
how many stars {s} has
how many stars customers give {s}
what star rating {s} has
what the reviews of {s} are like
how good the reviews of {s} are
what the reviews say about {s}
how {s} is reviewed
what reputation {s} has
what reputation {s} enjoys among diners
how popular {s} is
how popular {s} is with its guests
how well liked {s} is
how much people like {s}
what people think of {s}
what guests think of {s}
what customers say about {s}
what diners make of {s}
what feedback {s} gets
what feedback customers leave for {s}
how satisfied customers are with {s}
how happy guests are with {s}
how {s} scores with its customers
what marks {s} gets from visitors
whether {s} is well rated
whether {s} gets good reviews or bad ones
if {s} is highly rated
how {s} is regarded by the public
what rating {s} has
what customers think of {s}
""",
        """
How do customers rate {s}?
What is the customer rating of {s}?
How well is {s} rated?
What rating do customers give {s}?
How is {s} rated by its customers?
What score have customers given {s}?
How high is the customer rating of {s}?
What rating does {s} get from its customers?
What score does {s} have?
What is the score of {s}?
How many stars does {s} have?
How many stars do customers give {s}?
What star rating has {s} got?
What are the reviews of {s} like?
How good are the reviews of {s}?
What do the reviews say about {s}?
How is {s} reviewed?
What reputation does {s} have?
What is the reputation of {s} among diners?
How popular is {s}?
How popular is {s} with guests?
How well liked is {s}?
How much do people like {s}?
What do people think of {s}?
What do guests think of {s}?
What do customers say about {s}?
What do diners make of {s}?
What feedback does {s} get?
What kind of feedback do customers give {s}?
How satisfied are customers with {s}?
How happy are guests with {s}?
How does {s} score with its customers?
What marks does {s} get from visitors?
Is {s} well rated?
Is {s} highly rated or not?
Does {s} get good reviews or bad ones?
Do customers like {s}?
What rating does {s} have?
Does {s} have a good rating?
What do customers think of {s}?
""",
        """
Do {a} and {b} have the same customer rating?
Is {a} rated the same as {b} by customers?
How do customers rate {a}, and how do they rate {b}?
Did customers give {a} and {b} the same rating?
Are {a} and {b} rated equally by diners?
Which has the better reviews, {a} or {b}?
Is {a} better liked than {b}, or the other way round?
Does {a} have as many stars as {b}?
Is {a} rated higher than {b}?
""",
    ),
}
"""Attribute → topics, clauses, questions, comparisons."""
