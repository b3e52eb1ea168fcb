"""Reference server: a bare echo on the `websockets` library. Run as `python -m
bench.references.echo_server PORT`.
"""

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, serve

from bench.crowd import HOST


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def main(port: int) -> None:
    """Serve for ever; nothing is checked, stored, compressed or pinged."""
    async with serve(echo, HOST, port, compression=None, ping_interval=None, backlog=4096) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
