"""Damaged files that a command looks for by itself: settings and sockets of a machine, and pictures that are there already."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from bad_inputs import INPUTS, damaged_octets, damaged_text, within
from test_host import DEFAULTS

from timewait.cli.picture_folder import same_content, stale
from timewait.machine.linux_settings import read_linux
from timewait.machine.profile import host_profile
from timewait.machine.reading import report
from timewait.machine.sockets import live_sockets
from timewait.machine.sources import settings_of_folder
from timewait.spec.backoff import retransmissions
from timewait.vocabulary.errors import InputError
from timewait.vocabulary.untrusted import unprintable

WORDS = (
    *("9" * 25, "9" * 5_000, "-1", "0", "65536", "\n", "\r", "\0", ":", " ", "\x1b[31m", "\u00e9", "ZZ", "00000000", "0A"),
    *("<!--", "<!DOCTYPE a [<!ENTITY b 'c'>]>", "&b;", "<g>" * 2_000, "</g>", "]]>", "\u202e", "x" * 20_000, "orphan", "TCP:"),
)

SOCKETS = {
    "tcp": "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:1F90 0200007F:C350 06 00000000:00000000 03:00000EA6 00000000     0        0 0 3 0000000000000000\n"
    "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20 1 0000000000000000\n",
    "tcp6": "  sl  local_address rem_address   st\n"
    "   0: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000200007F:C350 01 0:0 0:0 0 0 0 21\n",
    "sockstat": "sockets: used 285\nTCP: inuse 5 orphan 2 tw 7 alloc 9 mem 3\n",
}

PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" data-laid-out-by="one"><g x="1"><text y="2">a</text></g><path d="M 0 0"/></svg>\n'
)


def read_settings(folder: Path) -> None:
    """Read and explain the settings of a machine."""
    source = settings_of_folder(folder)
    found = report(source)
    assert not any(map(unprintable, [found.headline, *(entry.meaning + entry.value for entry in found.settings)]))
    with suppress(InputError):
        host_profile(read_linux(source))


def read_sockets(folder: Path) -> None:
    """Count the sockets of a machine."""
    found = live_sockets(folder)
    assert found.orphans >= 0
    assert not any(map(unprintable, [*found.waiting, *found.ports, *found.not_closed]))


def read_picture(folder: Path) -> None:
    """Compare a picture that is there with a new one."""
    other = PICTURE.replace("one", "two").replace('x="1"', 'x="3"')
    assert stale({"a.svg": other}, folder) in ({}, {"a.svg": other})


READERS: dict[str, tuple[dict[str, str], Callable[[Path], None]]] = {
    "settings": ({name: f"{value}\n" for name, value in DEFAULTS.items()}, read_settings),
    "sockets": (SOCKETS, read_sockets),
    "picture": ({"a.svg": PICTURE}, read_picture),
}
"""For each reader good files, and how they are read."""


def fuzz(name: str, number: int, seed: int, folder: Path) -> tuple[int, int]:
    """Damage one of the files; returns how often the folder was accepted, and how often it was not."""
    files, read = READERS[name]
    rng, accepted, refused = random.Random(seed), 0, 0
    for file, text in files.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(text)
    for _ in range(number):
        file, text = rng.choice([*files.items()])
        octets = damaged_text(rng, text, WORDS).encode("utf-8", "surrogatepass") if rng.random() < 0.6 else text.encode()
        (folder / file).write_bytes(damaged_octets(rng, octets) if rng.random() < 0.5 else octets)
        message = ""
        try:
            with within(20):
                read(folder)
        except InputError as problem:
            message = str(problem)
            refused += 1
        else:
            accepted += 1
        assert "\n" not in message
        (folder / file).write_text(text)
    return accepted, refused


@pytest.mark.parametrize("name", READERS)
def test_damaged_folders(name: str, tmp_path: Path) -> None:
    """Every one is read, or refused in one line; a picture is drawn again."""
    accepted, refused = fuzz(name, 300, 1, tmp_path)
    assert accepted
    assert refused or name != "sockets"


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_damaged_folders_at_length(name: str, tmp_path: Path) -> None:
    """The same, a hundred thousand times."""
    fuzz(name, INPUTS, 2, tmp_path)


def test_pictures_with_other_positions() -> None:
    """Positions of another layout are the same content; another text is not."""
    assert same_content(PICTURE, PICTURE.replace('x="1"', 'x="3"'))
    assert not same_content(PICTURE, PICTURE.replace(">a<", ">b<"))


@pytest.mark.parametrize("name", ["tcp_orphan_retries", "tcp_retries2", "tcp_fin_timeout", "tcp_max_tw_buckets"])
def test_enormous_numbers(name: str, tmp_path: Path) -> None:
    """Retransmissions are counted at once, however many there are."""
    for file, value in {**DEFAULTS, name: "9" * 15}.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(f"{value}\n")
    with within(20):
        read_settings(tmp_path)


def test_retransmissions_are_counted_one_by_one() -> None:
    """The count of the repeated gap is that of a loop."""
    draw = random.Random(1)
    for _ in range(500):
        gaps = tuple(Fraction(draw.randint(1, 9), draw.randint(1, 4)) for _ in range(draw.randint(1, 6)))
        limit, count, passed = Fraction(draw.randint(0, 60), draw.randint(1, 3)), 1, Fraction(0)
        while passed + (gap := gaps[min(count, len(gaps) - 1)]) < limit:
            count, passed = count + 1, passed + gap
        assert retransmissions(gaps, limit) == count
