"""A certificate in text, made once for all that read it.

Two solvers and the file read the definitions and the queries of a proof. To make them takes as long as to answer them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from timewait.checker.certificate import Certificate
from timewait.checker.queries import Query


class RenderedCertificate:
    """A certificate whose definitions and queries are made once, for both solvers and for the file (itself a `Certificate`).

    Parameters
    ----------
    proof : Certificate
        The certificate.
    """

    def __init__(self, proof: Certificate) -> None:
        self.intro = proof.intro
        self._proof = proof

    def mismatch(self) -> str:
        """The mismatch of the proof."""
        return self._proof.mismatch()

    def head(self) -> list[str]:
        """The head of the proof."""
        return self._proof.head()

    def definitions(self) -> Iterator[str]:
        """The definitions."""
        return iter(self._definitions)

    def queries(self) -> Iterator[Query]:
        """The proof obligations."""
        return iter(self._queries)

    @cached_property
    def _definitions(self) -> tuple[str, ...]:
        return tuple(self._proof.definitions())

    @cached_property
    def _queries(self) -> tuple[Query, ...]:
        return tuple(self._proof.queries())
