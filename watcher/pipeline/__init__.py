"""Joins the stages: handle(core, view, inputs, now) -> Changes. Values in, values out.

It must not read a clock, do I/O, log, draw random numbers or wait; nothing outside it may join two stages.
The rooms: `handle` (inputs and timers in order), `watching` (objects), `judging` (rules over signals), `settling`
(alerts: ends, what explains and inhibits them, groups), `flushing` (groups: send or hold), `delivering` (outcomes).
"""

from watcher.pipeline.core import Core
from watcher.pipeline.handle import TimerFailed, handle, next_wake

__all__ = ["Core", "TimerFailed", "handle", "next_wake"]
