"""Stage 3: which alert a signal belongs to, and how members and alerts change. Two transition tables.

No I/O, no clock, no logging, nothing about receivers: a verdict or a timer goes in, the new row comes out.
"""
