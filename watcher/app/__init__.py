"""The composition root of `run`: the only room that knows every adapter and every loop. It decides nothing."""

from watcher.app.process import RunOptions, run

__all__ = ["RunOptions", "run"]
