"""Whether this machine can run the laboratory, and if not, why."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import cache

from timewait.laboratory.crafted_peer import CraftedPeer
from timewait.laboratory.isolation import LaboratoryFailure, isolated
from timewait.laboratory.links import Link, open_link
from timewait.laboratory.namespaces import Namespace
from timewait.vocabulary.errors import UnavailableError


def _open_a_connection(link: Callable[[Namespace, str], Link]) -> Generator[str]:
    with CraftedPeer(link) as peer:
        peer.connect().close()
        yield type(peer.host.link).__name__


@cache
def missing(link: Callable[[Namespace, str], Link] = open_link) -> str:
    """The reason, in one line, why the laboratory cannot run here; empty if it can: one connection is opened to find out."""
    try:
        for _ in isolated(_open_a_connection, link):
            return ""
        return "the laboratory opened no connection"
    except (UnavailableError, LaboratoryFailure, OSError) as problem:
        return " ".join(str(problem).split())
