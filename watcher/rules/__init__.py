"""Stage 2: rule files -> compiled rules (errors with file, line, column); rule x signal -> verdict, with why-not.

No I/O (texts come in as strings), no clock, no logging, no state: what a member does with a verdict is the affair
of `alerts`.
"""
