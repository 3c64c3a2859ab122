"""A process that has imported a command, and forks for each run of it: a run begins without the second that imports take.

A forked run is what ``python -m timewait`` is after its imports, with its own session, streams, environment and signals.
This process has one thread of Python, and does nothing but fork and wait; messages reach it through a socket.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

LARGEST = 1 << 16
"""Octets of a message, at most."""

ENV_START = 50 - 3
"""The place of env_start among the words after the name of the program in /proc/PID/stat: proc(5) counts two words before."""


def serve(messages: socket.socket) -> dict[str, Any] | None:
    """Answer messages until nobody sends any; returns, in the process of a run, what this run is.

    Parameters
    ----------
    messages : socket
        Each message is an object in JSON. A run to begin has its words, folder and variables, and comes with its standard input
        and standard error; the answer is its process. A process that has ended is answered with its status and its processor
        time in seconds. The first message that is sent, unasked, is the processor time of the imports.
    """
    messages.send(json.dumps(time.process_time()).encode())
    while True:
        text, streams, _, _ = socket.recv_fds(messages, LARGEST, 2)
        if not text:
            return None
        message = json.loads(text)
        if "ended" in message:
            _, status, usage = os.wait4(message["ended"], 0)
            messages.send(json.dumps([status, usage.ru_utime + usage.ru_stime]).encode())
            continue
        number = os.fork()
        if number == 0:
            messages.close()
            become(message, *streams)
            return dict(message)
        for stream in streams:
            os.close(stream)
        messages.send(json.dumps(number).encode())


def become(run: dict[str, Any], source: int, errors: int) -> None:
    """Give this process the session, streams, folder and environment of a run."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream, number in ((source, 0), (nowhere, 1), (errors, 2)):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(run["folder"])
    for name, value in run["shown"].items():
        show_variable(name, value)
    os.environ |= run["shown"] | run["environment"]


def show_variable(name: str, value: str) -> None:
    """Write a variable over that with which this process began: /proc shows it for this process and those that it forks.

    Raises
    ------
    ValueError
        The variable began with another length, or was not there.
    """
    begin = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[ENV_START])
    octets = Path("/proc/self/environ").read_bytes()
    place = octets.index(f"\0{name}={os.environ[name]}\0".encode()) + 1
    if len(value) != len(os.environ[name]):
        raise ValueError(f"{name} cannot become longer or shorter: {value}")
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        memory.seek(begin + place)
        memory.write(f"{name}={value}".encode())


def main() -> None:
    """Import a command, and serve its runs; in the process of a run, carry it out as ``python -m timewait``."""
    command, number = sys.argv[1:]
    del sys.path[0]  # the folder of this file
    import_module("timewait.cli.main")
    getattr(import_module(f"timewait.cli.{command}"), f"{command}_command")  # a deferred module is executed now
    run = serve(socket.socket(fileno=int(number)))
    if run is not None:
        sys.path.insert(0, run["folder"])
        sys.argv = ["timewait", *run["words"]]
        runpy.run_module("timewait", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
