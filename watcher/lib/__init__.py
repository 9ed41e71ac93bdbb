"""Pure helpers that several stages need: durations, YAML with positions, matchers, redaction, escaping, templates.

No I/O, no clock, no logging, no randomness, and nothing of ours but `watcher.model`. A helper that only one
stage needs lives in that stage.
"""
