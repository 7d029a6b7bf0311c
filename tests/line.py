"""The line between the api and Temporal, which can be cut, and calls over it that lose their answer or never arrive."""

import asyncio
import contextlib
import dataclasses

from temporalio.client import Client, Interceptor, OutboundInterceptor
from temporalio.service import RPCError, RPCStatusCode

from billing.temporal import connect


class Line(Interceptor):
    """A proxy in front of a Temporal server, and what is to happen to the next start over it."""

    def __init__(self):
        self._open = True
        self._pairs = set()
        self.at_start = None

    def cut(self):
        """What a killed server looks like: every connection breaks, and no new one comes to be."""
        self._open = False
        for writer in list(self._pairs):
            writer.transport.abort()

    def mend(self):
        """The server is back."""
        self._open = True

    def intercept_client(self, next):  # noqa: A002 - the SDK's name
        line = self

        class Starts(OutboundInterceptor):
            async def start_workflow(self, input):  # noqa: A002 - the SDK's name
                fault, line.at_start = line.at_start, None
                if fault is None:
                    return await self.next.start_workflow(input)
                await fault(lambda: self.next.start_workflow(input))
                raise RPCError("the connection broke", RPCStatusCode.UNAVAILABLE, b"")

        return Starts(next)

    async def serve(self, host, port):
        """Answers the server of the proxy."""

        async def pump(reader, writer):
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
            writer.close()

        async def connected(reader, writer):
            if not self._open:
                writer.transport.abort()
                return
            far_reader, far_writer = await asyncio.open_connection(host, port)
            self._pairs |= {writer, far_writer}
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
            self._pairs -= {writer, far_writer}

        return await asyncio.start_server(connected, "127.0.0.1", 0)


@contextlib.asynccontextmanager
async def on_a_line(stack):
    """Let the api, and nobody else, reach Temporal over a line."""
    host, _, port = stack.temporal.service_client.config.target_host.rpartition(":")
    line = Line()
    async with await line.serve(host, int(port)) as server:
        plain = await connect(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        config = plain.config()
        client = Client(**{**config, "interceptors": [*config["interceptors"], line]})
        stack.app.state.desk = dataclasses.replace(stack.app.state.desk, temporal=client)
        yield line
        line.cut()
