"""The command: Ctrl-C ends it at once, also while PyTorch is read or an upload hangs."""

from __future__ import annotations

import os
import signal
import socket
import sys
from threading import Thread

STOPPED = "Stopped. What the Hub has accepted stays there; the same command goes on from it."


def end_at_once() -> None:
    """From here on Ctrl-C ends the process with one sentence.

    Python would raise KeyboardInterrupt in the middle of an import, and wait for the client's threads, which wait for
    the network. A process that was told to ignore Ctrl-C goes on doing so.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    news, told = socket.socketpair()
    told.setblocking(False)
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)

    def wait(_open: socket.socket) -> None:
        news.recv(1)
        os.write(2, f"\n{STOPPED}\n".encode())
        os._exit(130)

    Thread(target=wait, args=(told,), daemon=True).start()


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 1 a problem that was explained; 130 stands for Ctrl-C."""
    end_at_once()
    from shakespeare_gpt.hub import command

    return command.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
