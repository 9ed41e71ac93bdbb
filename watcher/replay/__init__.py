"""The composition root of `replay` and `test`: recorded time, nothing stored on disk, nothing sent.

The same core as the service's, with another source and clock. It must not reach the network or a store on disk.
"""

from watcher.replay.player import Player, play
from watcher.replay.present import as_json, as_text

__all__ = ["Player", "as_json", "as_text", "play"]
