"""A recorded subscription lived once more on the code of today: who would have been charged what, when, and why.

`gudok replay --what-if`. The recording says what came in and what PortOne answered; the real workflow runs on it in
virtual time (`chaos.machine`), and the money of both is compared. What the recording cannot know is assumed, and told.
"""
