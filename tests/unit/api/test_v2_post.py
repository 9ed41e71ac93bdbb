"""What a post leaves behind in memory."""

from __future__ import annotations

import gc
import json
import tracemalloc

from watcher.api import v2post


def parse(text: str) -> None:
    body = json.dumps([{"labels": {"alertname": "A"}, "annotations": {"description": text}}]).encode()
    for number, one in enumerate(v2post._parsed(body)):
        v2post._alert(number, one)


def test_long_texts_that_never_come_again_are_not_kept() -> None:
    parse("warm")
    tracemalloc.start()
    try:
        for number in range(100):
            parse(f"{number} " + "x" * 60_000)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 500_000
