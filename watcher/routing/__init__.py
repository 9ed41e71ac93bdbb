"""Stage 4: which receivers hear of which alert, in which groups, when, and what inhibits it.

No I/O, no clock, no logging, nothing about channels or texts; `now` is an argument.
"""
