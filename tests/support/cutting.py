"""A TCP proxy that cuts a connection when a given text passes, after the text has reached the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Cutter:
    """`cut_after`: what a client sends; its connection is closed when the server has taken that, before the answer."""

    def __init__(self) -> None:
        self.port = 0
        self.cut_after: bytes | None = None
        self.cuts = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        behind, forward = await asyncio.open_connection("127.0.0.1", port)
        answers = asyncio.create_task(self._answers(behind, writer))
        try:
            while data := await reader.read(65536):
                cut = self.cut_after is not None and self.cut_after in data
                if cut:
                    answers.cancel()
                forward.write(data)
                await forward.drain()
                if cut:
                    await asyncio.wait_for(behind.read(1), 10)
                    self.cuts += 1
                    self.cut_after = None
                    break
        except OSError:
            pass
        finally:
            answers.cancel()
            for stream in (writer, forward):
                stream.close()
                with contextlib.suppress(OSError):
                    await stream.wait_closed()

    async def _answers(self, behind: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await behind.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def cutter(port: int) -> AsyncIterator[Cutter]:
    """In front of 127.0.0.1:`port`."""
    made = Cutter()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await made._serve(reader, writer, port)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made
