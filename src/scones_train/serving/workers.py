"""The processes that answer requests: started, replaced when one dies, stopped together.

Each worker (`scones_train.serving.worker`) inherits the listening socket, shared memory with a
byte for each worker, and a socket to this process as its standard input. Over the socket it says
that it is ready; the end of the socket stops it, so that no worker outlives this process.
"""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process

WORKER = (sys.executable, "-m", "scones_train.serving.worker")


class Workers:
    """A number of workers that share one listening socket, which is closed when they stop."""

    def __init__(self, listener: socket.socket, count: int) -> None:
        self._listener, self._count = listener, count
        self._shared = os.memfd_create("scones-workers")
        os.ftruncate(self._shared, count)
        self._lines: dict[int, socket.socket] = {}
        self._running: dict[int, Process] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Keep the workers up until SIGTERM or SIGINT; return 1 if one could not begin, else 0.

        A second signal ends them at once.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        # What is wrong with the model is reported once: by the first, before there are others.
        if not await self._start(0):
            return 0 if self._stopping.is_set() else 1
        return max(await asyncio.gather(*map(self._keep, range(self._count))))

    async def _keep(self, number: int) -> int:
        """Run one worker after another until stopped."""
        while not self._stopping.is_set():
            if number not in self._running and not await self._start(number):
                if self._stopping.is_set():
                    break
                self._stop()
                return 1
            code = await self._running.pop(number).wait()
            if not self._stopping.is_set():
                sys.stderr.write(f"Worker {number} ended with {code}; another takes its place.\n")
        return 0

    async def _start(self, number: int) -> bool:
        """Start a worker; return whether it is ready to answer."""
        line, theirs = socket.socketpair()
        line.setblocking(False)
        with theirs:
            inherited = (self._listener.fileno(), self._shared)
            self._lines[number] = line
            self._running[number] = await asyncio.create_subprocess_exec(
                *WORKER,
                *map(str, (*inherited, number)),
                stdin=theirs.fileno(),
                pass_fds=inherited,
                # A terminal's Ctrl-C is for this process, which then stops the workers.
                process_group=0,
            )
        if await asyncio.get_running_loop().sock_recv(line, 1):
            return True
        await self._running.pop(number).wait()
        return False

    def _signalled(self) -> None:
        if self._stopping.is_set():
            for process in self._running.values():
                process.kill()
        self._stop()

    def _stop(self) -> None:
        self._stopping.set()
        self._listener.close()
        for line in self._lines.values():
            line.shutdown(socket.SHUT_WR)
