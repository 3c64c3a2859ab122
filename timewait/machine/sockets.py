"""The sockets of this machine in numbers: states, orphans, destinations, programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from timewait.machine.sources import HostUnreadable
from timewait.spec.state import State

PROC_NET = Path("/proc/net")

STATE_CODES = {
    "01": State.ESTABLISHED,
    "02": State.SYN_SENT,
    "03": State.SYN_RECEIVED,
    "04": State.FIN_WAIT_1,
    "05": State.FIN_WAIT_2,
    "06": State.TIME_WAIT,
    "08": State.CLOSE_WAIT,
    "09": State.LAST_ACK,
    "0A": State.LISTEN,
    "0B": State.CLOSING,
}
"""The states as ``/proc/net/tcp`` writes them."""


@dataclass(frozen=True, slots=True)
class LiveSockets:
    """The TCP sockets of a machine at one instant.

    Attributes
    ----------
    states : Counter of State
        How many are in each state.
    waiting : Counter of str
        Connections in TIME-WAIT that this machine opened or accepted, by the remote address and port.
    ports : Counter of str
        Local ports in use, in any state but LISTEN, by the remote address and port.
    not_closed : Counter of str
        Connections in CLOSE-WAIT, by the program that has not closed them.
    orphans : int
        Connections that no program holds any more and that are still closing.
    """

    states: Counter[State]
    waiting: Counter[str]
    ports: Counter[str]
    not_closed: Counter[str]
    orphans: int


def live_sockets(proc_net: Path = PROC_NET) -> LiveSockets:
    """Count the sockets of this network namespace.

    Parameters
    ----------
    proc_net : Path
        The directory with the files ``tcp``, ``tcp6`` and ``sockstat``.

    Raises
    ------
    HostUnreadable
        This is not Linux, or the files cannot be read.
    """
    rows = [row for name in ("tcp", "tcp6") for row in _rows(proc_net / name)]
    states = Counter(state for state, _, _ in rows)
    connected = [row for row in rows if row[0] is not State.LISTEN]
    held = {inode for state, _, inode in rows if state is State.CLOSE_WAIT}
    programs = _programs(held) if held else {}
    return LiveSockets(
        states=states,
        waiting=Counter(remote for state, remote, _ in connected if state is State.TIME_WAIT),
        ports=Counter(remote for _, remote, _ in connected),
        not_closed=Counter(programs.get(inode, "?") for state, _, inode in rows if state is State.CLOSE_WAIT),
        orphans=_orphans(proc_net / "sockstat"),
    )


def _rows(path: Path) -> Iterator[tuple[State, str, str]]:
    """State, remote address and inode of each socket."""
    if path.name == "tcp6" and not path.exists():
        return
    try:
        lines = path.read_text(encoding="ascii").splitlines()[1:]
    except (OSError, UnicodeDecodeError) as problem:
        raise HostUnreadable(f"cannot read {path}: {getattr(problem, 'strerror', 'it is not text')}") from None
    for line in lines:
        fields = line.split()
        if len(fields) > 9 and fields[3] in STATE_CODES:
            try:
                remote = _address(fields[2])
            except ValueError:
                raise HostUnreadable(f"cannot make sense of {path}: {fields[2][:60]!r} is no address and port") from None
            yield STATE_CODES[fields[3]], remote, fields[9]


def _address(text: str) -> str:
    """``0100007F:0050`` as ``127.0.0.1:80``; groups of four octets in the order of this machine."""
    address, port = text.split(":")
    words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
    octets = b"".join(words)
    if len(octets) == 16 and octets[:12] != bytes(10) + b"\xff\xff":
        groups = ":".join(f"{octets[at]:02x}{octets[at + 1]:02x}" for at in range(0, 16, 2))
        return f"[{groups}]:{int(port, 16)}"
    return ".".join(map(str, octets[-4:])) + f":{int(port, 16)}"


def _programs(inodes: set[str]) -> dict[str, str]:
    """The programs that hold some sockets, as far as this user may see them: name and process number."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, str] = {}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            for inode in {wanted[link] for link in _open_files(process) if link in wanted}:
                found[inode] = f"{_command(process)} ({process.name})"
    return found


def _open_files(process: Path) -> Iterator[str]:
    """The names of the open files of a process, as far as this user may see them."""
    with suppress(OSError):  # another user's process, or one that has just ended
        for entry in (process / "fd").iterdir():
            with suppress(OSError):  # a file that was closed meanwhile
                yield str(entry.readlink())


def _command(process: Path) -> str:
    try:
        return (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return "?"


def _orphans(path: Path) -> int:
    """The number after ``orphan`` in ``/proc/net/sockstat``; 0 where it is missing."""
    try:
        words = path.read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return 0
    if "orphan" not in words[:-1]:
        return 0
    count = words[words.index("orphan") + 1]
    if not (count.isascii() and count.isdecimal() and len(count) <= 19):
        raise HostUnreadable(f"cannot make sense of {path}: {count[:60]!r} is no number of orphans")
    return int(count)
