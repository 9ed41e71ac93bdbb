"""Stage 5: send or hold, with the reason; the message as a structure; retry or give up.

No I/O, no clock, no logging, no channel's own format: adapters in `deliver` render, `now` is an argument.
"""
