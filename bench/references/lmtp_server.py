"""`python -m bench.references.lmtp_server PORT`: aiosmtpd's LMTP server, which takes every mail and keeps none."""

import asyncio
import sys

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import Envelope, Session


class Taker:
    async def handle_DATA(self, server: LMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        return "250 2.0.0 Taken"


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: LMTP(Taker(), hostname="lmtp"), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
