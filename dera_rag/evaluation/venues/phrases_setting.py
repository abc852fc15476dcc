"""How training wordings ask where a place is and what is next to it.

Attribute → topics, clauses, questions and comparisons, one a line; `phrases` says what they are.
"""

from __future__ import annotations

from collections.abc import Mapping

SETTING: Mapping[str, tuple[str, str, str, str]] = {
    "area": (
        """
area
part of town
location in town
district
whereabouts
quarter
part of the city
area of town
area of the city
side of town
section of town
town district
city district
city quarter
zone
region of the city
position in town
general location
location by area
borough
setting in town
corner of town
end of town
sector of town
urban quarter
location within the city
district of the city
location
neighbourhood
""",
        """
which area {s} is in
what part of town {s} is in
in which area {s} is located
what area {s} is located in
in what part of town {s} is
whereabouts in town {s} is located
what district {s} belongs to
which part of the city {s} is in
where in the city {s} lies
where in the city one finds {s}
where to find {s}
where {s} can be found
whereabouts {s} is
in which district {s} lies
in which neighbourhood {s} is
what quarter {s} is in
which quarter of the city {s} belongs to
which side of town {s} is on
what side of town {s} lies on
what the location of {s} is
what location {s} has
where {s} is situated
in what area {s} is situated
in which part of town {s} is situated
which district one goes to for {s}
to which part of town I must go for {s}
whether {s} is in the city centre or by the riverside
whether {s} is central or by the river
if {s} is in the centre of the city
if {s} is down by the riverside
what area the guide puts {s} in
in which borough {s} is
where {s} is
what area {s} is in
where {s} is located
""",
        """
Which area is {s} in?
What part of town is {s} in?
In which area can I find {s}?
What area is {s} located in?
In what part of town is {s}?
Whereabouts in town is {s}?
Which part of the city is {s} in?
What district is {s} in?
Where's {s}?
Where in the city is {s}?
Where do I find {s}?
Where do we go for {s}?
Where would I have to go for {s}?
Where is {s} situated?
What is the location of {s}?
In which neighbourhood is {s}?
What quarter is {s} in?
In which quarter of the city is {s}?
In what district does {s} lie?
To which district does {s} belong?
On which side of town is {s}?
What side of town is {s} on?
In which borough is {s}?
In which part of the city will I find {s}?
Is {s} in the city centre or by the riverside?
Is {s} central or down by the river?
Is {s} in the centre of the city?
Is {s} in the riverside area?
Does {s} lie in the city centre?
What area does the guide put {s} in?
Which neighbourhood does {s} belong to?
Where is {s}?
What area is {s} in?
Where can I find {s}?
What neighbourhood is {s} in?
""",
        """
Are {a} and {b} in the same area?
Is {a} in the same part of town as {b}?
Which area is {a} in, and which one is {b} in?
Are {a} and {b} located in the same district?
Would I find {a} and {b} in one and the same part of the city?
Are {a} and {b} on different sides of town?
Are {a} and {b} in the same part of town?
""",
    ),
    "near": (
        """
nearest landmark
nearby place
closest landmark
neighbouring place
landmark
neighbour
next-door neighbour
closest neighbour
adjacent place
adjacent venue
neighbouring venue
place next door
place close by
place nearby
vicinity
immediate vicinity
nearby spot
nearest point of reference
reference point nearby
landmark close by
landmark next door
neighbouring landmark
neighbouring business
adjacent landmark
nearby venue
closest place
nearest place
""",
        """
what {s} is near
which place {s} is close to
what landmark {s} is near
what {s} is close to
which landmark {s} is near
what there is next to {s}
which place {s} is nearest to
what landmark you find close to {s}
what is next door to {s}
what is next to {s}
what is in the vicinity of {s}
which place is in the vicinity of {s}
what lies close to {s}
what lies beside {s}
what stands next to {s}
what {s} stands beside
what {s} is beside
what {s} is adjacent to
which place {s} is adjacent to
what is adjacent to {s}
what neighbours {s}
which place neighbours {s}
who the neighbour of {s} is
what the closest landmark to {s} is
what the nearest place to {s} is
which landmark helps me to find {s}
by which landmark I can find {s}
near which place {s} is
close to which place {s} lies
next to what {s} is
what place is around the corner from {s}
which other place is close by {s}
what {s} is a few steps from
what is near {s}
what place {s} is near
""",
        """
What is {s} near?
Which place is {s} close to?
What landmark is {s} near?
What is {s} close to?
Which landmark is {s} near?
What is there next to {s}?
Which place is nearest to {s}?
What landmark is nearby {s}?
What is close to {s}?
What's next to {s}?
What's next door to {s}?
What is next door to {s}?
What is in the vicinity of {s}?
What lies close to {s}?
What lies beside {s}?
What stands next to {s}?
What does {s} stand beside?
What does {s} stand next to?
What is {s} adjacent to?
What is adjacent to {s}?
What place neighbours {s}?
What is the neighbour of {s}?
What is the closest landmark to {s}?
What is the nearest place to {s}?
What other place is close by {s}?
What can I find close to {s}?
What is just around the corner from {s}?
What is a few steps away from {s}?
Which landmark will help me to find {s}?
Which landmark should I look for to find {s}?
Which venue is right by {s}?
Near which place is {s}?
Close to what is {s}?
Next to what is {s}?
What else is around {s}?
What's near {s}?
What place is {s} near?
What can I find near {s}?
""",
        """
Are {a} and {b} near the same place?
Are {a} and {b} close to the same place?
What is {a} near, and what is {b} near?
Is the landmark next to {a} also the one next to {b}?
Do {a} and {b} have the same place nearby?
Do {a} and {b} stand beside the same landmark?
Is what lies close to {a} also what lies close to {b}?
What is near {a}, and what is near {b}?
""",
    ),
}
"""Attribute → topics, clauses, questions, comparisons."""
