"""Pure helpers of several stages: durations, YAML with positions, matchers, redaction, templates.

No I/O, no clock, no logging, no randomness, and nothing of ours but `watcher.model`. A helper that only one
stage needs lives in that stage.
"""
