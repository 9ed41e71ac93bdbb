"""The composition root of `run`: the only room that knows every adapter and every loop. It decides nothing."""

from watcher.app.service import RunOptions, Service, assembled, run

__all__ = ["RunOptions", "Service", "assembled", "run"]
