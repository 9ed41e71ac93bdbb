"""A process that commits as fast as it can: `python committer.py FILE`. It prints each commit's number when it is done.

Commit n leaves ten groups of route "n", one transition and one message; what is read afterwards must be of one n.
"""

import asyncio
import sys
from pathlib import Path

from tests.contract.store.examples import NOW, SECOND, group, message, transition
from tests.contract.store.homes import sqlite_store
from watcher.model.changes import Changes


async def main(path: Path) -> None:
    store = sqlite_store(path)
    await store.open()
    await store.take_over("committer", "")
    print("open", flush=True)
    for n in range(1_000_000):
        changes = Changes(
            groups={f"g{i}": group(f"g{i}", route=str(n)) for i in range(10)},
            transitions=[transition(str(n))],
            outbox={f"m{n}": message(f"m{n}")},
        )
        await store.commit(changes, NOW + n * SECOND)
        print(n, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
