"""gunicorn's thread worker, made patient: a new connection waits for its first bytes at the poller and takes a request
thread only then. As shipped each waits in a thread for up to five seconds, so a handful of connections that say
nothing, as browsers open in advance, hold up everybody else's requests. And who comes when no more files may be opened
has to wait; as shipped the worker dies of it, with all who are there. Used by `app.py`; knows nothing of ours.
"""

import errno
import selectors
import socket
import time
from functools import partial

from gunicorn.workers.gthread import TConn, ThreadWorker

FIRST_BYTES_S = 10.0
"""How long a connection may say nothing before it is closed."""

ACCEPTS_A_TURN = 64
GONE = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED)
FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
FULL_PAUSE_S = 0.05
"""Before the next look for room; whoever comes meanwhile waits in the system's queue."""


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """See the module."""

    def accept(self, listener: socket.socket) -> None:
        """Takes the connections that have come, as many as a turn may."""
        for _ in range(ACCEPTS_A_TURN):
            try:
                sock, address = listener.accept()
            except OSError as error:
                if error.errno in FULL:
                    time.sleep(FULL_PAUSE_S)
                elif error.errno not in GONE:
                    raise
                return
            self.nr_conns += 1
            conn = TConn(self.cfg, sock, address, listener.getsockname())
            conn.timeout = time.monotonic() + FIRST_BYTES_S
            self.pending_conns.append(conn)
            self.poller.register(sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))
