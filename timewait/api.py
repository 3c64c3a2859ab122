"""The library's functions; ``import timewait`` offers them by these names."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Unpack

from timewait.captures import choosing, closes
from timewait.checker import itf
from timewait.checker.confirmation import confirmed, together
from timewait.checker.decide import Answer, decide, violations_with_less_text
from timewait.checker.finding import Budget
from timewait.checker.inheritance import inherited
from timewait.checker.question import Engine, Question
from timewait.checker.synthesis import InconclusiveSynthesis
from timewait.checker.threshold import minimum_safe
from timewait.checker.time_unit import unit_of
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.narration import trace_file
from timewait.options import SECONDS, Closers, DurationLike, Keywords, Options, duration
from timewait.proofs import bounded_check, claim_files
from timewait.proofs import claims as own_claims
from timewait.proofs.question import question, questions_of_both
from timewait.proofs.suite import ClaimResult
from timewait.proofs.suite import prove as decide_claims
from timewait.proofs.thresholds import RANGE, ProvedThreshold, formula
from timewait.results import CheckResult, Explanation, FormulaResult, ThresholdResult
from timewait.spec.assemble import assumptions
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.stacks import DEFAULT_STACK, Stack, load_stack
from timewait.vocabulary.automaton import Property
from timewait.vocabulary.errors import RequestError

if TYPE_CHECKING:
    from timewait.proofs.certificate_files import CheckedCertificate

LIMIT = 16
"""No TIME_WAIT longer than this multiple of MSL + RTO is tried unless a limit is given."""

SECONDS_IN_TICKS = 5.0
"""The time for a liveness property with the schedule of a stack, in seconds."""

SAFE = ("graceful", "isolation")
"""The properties that a safe TIME_WAIT gives, unless others are named."""


def check(options: Options | None = None, /, *, budget: Budget | None = None, **keywords: Unpack[Keywords]) -> CheckResult:
    """Decide properties of one configuration.

    Parameters
    ----------
    options : Options, optional
        The question; or its parts as keywords, as `Options.of` takes them. Without `closers` either end may close first.
        Where no RTO is given, retransmissions come at the instants of the stack, if its profile states them, and the result
        holds the answers for any other instants too.
    budget : Budget, optional
        Bounds on each exploration, with a listener for its progress; by default those of the options.

    Returns
    -------
    CheckResult
        An answer for each property, with a run for each violation.

    Raises
    ------
    RequestError
        The options make no sense.

    Examples
    --------
    >>> import timewait
    >>> result = timewait.check(msl="30s", time_wait="59.9s", rto="30s", closers="a", properties=["graceful"])
    >>> result.verdict
    <Verdict.VIOLATED: 3>
    >>> len(result["graceful"].trace.steps)
    8
    >>> print(timewait.check(stack="linux", msl="30s", rto="30s", scope="core", properties=["fin-restarts"]))
    fin-restarts    PROVED
    """
    options = _options(options, keywords, "both")
    of_stack = options.of_stack()
    wider = options if of_stack is None else options.any_gap()
    configuration = wider.configuration()
    asked, bounds = options.asked(), budget or options.budget()
    decision = _Decision(options.engine, bounds, options.confirm)
    answers = _both_closers(configuration, asked, decision)
    result = CheckResult(configuration, tuple(answers))
    if of_stack is None:
        return result
    narrower = of_stack.configuration()
    return CheckResult(narrower, tuple(_narrowed(narrower, asked, answers, decision)), result)


def threshold(
    options: Options | None = None,
    /,
    *,
    limit: DurationLike | None = None,
    budget: Budget | None = None,
    **keywords: Unpack[Keywords],
) -> ThresholdResult:
    """Find the least safe TIME_WAIT, by asking an engine again and again; where either end may close first, as `check` does.

    Parameters
    ----------
    options : Options, optional
        The question; or its parts as keywords. Without `closers` A closes first.
    limit : str, int or Fraction, optional
        The longest TIME_WAIT to try; by default 16 (MSL + RTO).
    budget : Budget, optional
        Bounds on each exploration.

    Raises
    ------
    RequestError
        The options make no sense.
    timewait.checker.threshold.InconclusiveAnswer
        The engine reached a bound at some value.

    Examples
    --------
    >>> import timewait
    >>> timewait.threshold(msl="3s", rto="1s", scope="core", properties=["isolation"]).least
    Fraction(5, 1)
    """
    options = _options(options, keywords, "a").override(time_wait=Fraction(0))
    configuration = options.configuration()
    asked = options.asked(SAFE)
    unit = unit_of({name: value for name, value in configuration.parameters.items() if name != "TIME_WAIT"})
    whole = options.engine is Engine.EXPLICIT or not question(configuration).system.dense
    bounds = budget or options.budget()

    def ask(time_wait: Fraction) -> list[Answer]:
        decision = _Decision(options.engine, bounds.fresh())
        return _both_closers(options.override(time_wait=time_wait).configuration(), asked, decision)

    most = LIMIT * (configuration.msl + max(configuration.rto)) if limit is None else duration(limit)
    return ThresholdResult(configuration, minimum_safe(ask, unit, max(most // unit, 1) * unit, whole))


def threshold_formula(
    options: Options | None = None,
    /,
    *,
    ratios: tuple[Fraction, Fraction] = RANGE,
    budget: Budget | None = None,
    listener: Callable[[ProvedThreshold], object] = id,
    **keywords: Unpack[Keywords],
) -> FormulaResult:
    """Find the least safe TIME_WAIT as a formula in MSL and RTO, each piece proved from both sides.

    Parameters
    ----------
    options : Options, optional
        The question; or its parts as keywords. Without `closers` A closes first.
    ratios : pair of Fraction
        The least and the largest RTO / MSL to cover.
    budget : Budget, optional
        Bounds on each exploration.
    listener : callable
        Called with each piece as soon as it is found.

    Raises
    ------
    RequestError
        The options make no sense, or there is no formula for them.
    """
    options = _options(options, keywords, "a")
    stack, overrides = options.stack, options.overrides
    msl = stack.msl or Fraction(1) if overrides.msl is None else overrides.msl
    rto = (stack.rto_max or Fraction(1),) if overrides.rto is None else overrides.rto
    configuration = options.override(msl=msl, rto=rto, time_wait=Fraction(0)).configuration()
    pieces: list[ProvedThreshold] = []
    unsettled = ""
    try:
        for piece in formula(configuration, options.properties or SAFE, ratios, budget or options.budget()):
            pieces.append(piece)
            listener(piece)
    except InconclusiveSynthesis as problem:
        unsettled = str(problem)
    return FormulaResult(configuration, tuple(pieces), unsettled)


def certify(
    certificate: str | PathLike[str], *, max_seconds: float = SECONDS, max_megabytes: int = 4_000
) -> list[CheckedCertificate]:
    """Check a certificate again, by Z3's plain queries and by cvc5, in a process with bounds on time and memory.

    Parameters
    ----------
    certificate : path
        A file that ``timewait prove --out`` or ``timewait check --certificate`` wrote.
    max_seconds : float
        Bound on the time for all certificates in the file.
    max_megabytes : int
        Bound on the memory.

    Returns
    -------
    list of CheckedCertificate
        For each certificate in the file what it states, a verdict, and the reason of every verdict but proved.

    Raises
    ------
    InputError
        The file holds no certificate.
    """
    return bounded_check.check_within(Path(certificate), max_seconds, max_megabytes)


def explain(
    source: Trace | str | PathLike[str],
    *,
    connection: str | None = None,
    stack: str | PathLike[str] | Stack = DEFAULT_STACK,
    msl: DurationLike | None = None,
) -> Explanation:
    """Explain a run, or a close in a packet capture, in sentences.

    Parameters
    ----------
    source : Trace or path
        A run, a file in ITF JSON, or a packet capture (pcap, pcapng, also gzipped).
    connection : str, optional
        The connection of the capture, where several close: its number, or its ends, such as
        ``"192.0.2.1:40000-192.0.2.2:80"``.
    stack : str, path or Stack
        Of a capture, the profile to assume where stacks differ.
    msl : str, int or Fraction, optional
        Of a capture, the maximum segment lifetime; by default that of the stack, else 30 s.

    Raises
    ------
    InputError
        The file is neither a trace nor a capture, or is damaged.
    RequestError
        Not exactly one connection closes in the capture, or the stack is unknown.

    Examples
    --------
    >>> import timewait
    >>> result = timewait.check(msl="30s", time_wait="59.9s", rto="30s", closers="a", properties=["graceful"])
    >>> print(timewait.explain(result.trace).lines[1])  # doctest: +ELLIPSIS
    0: A's user closes. ...
    """
    if isinstance(source, Trace):
        return Explanation(source)
    file = Path(source)
    if itf.is_json(file):
        return Explanation(trace_file.read_trace(file))
    profile = stack if isinstance(stack, Stack) else load_stack(stack)
    configuration = closes.assumed_configuration(profile, None if msl is None else duration(msl))
    found = closes.read_closes(file, configuration)
    named = range(len(found.connections)) if connection is None else choosing.chosen(found.connections, connection)
    closing = [index for index in named if found.traffic.connections[index].closes]
    close = found.close(closing[0]) if len(closing) == 1 else None
    if close is None:
        example = f"; choose one, such as {closing[0] + 1}" if closing else ""
        raise RequestError(f"{len(closing)} connections close in {file}{example}")
    return Explanation(close.trace, close)


def prove(
    *claims: str,
    jobs: int = 1,
    out: str | PathLike[str] | None = None,
    cache: str | PathLike[str] | None = None,
    cluster: str = "",
) -> Iterator[ClaimResult]:
    """Decide claims of the project or of files of your own, each in a process of its own.

    Parameters
    ----------
    *claims : str
        Names of claims, such as ``"C1"``, and files, such as ``"my_claim.py"``; without any, all claims of the project that
        take less than minutes.
    jobs : int
        Claims decided side by side.
    out : path, optional
        A folder for certificates and traces.
    cache : path, optional
        A folder for proofs: those that an earlier run kept there are checked again instead of being searched for anew.
    cluster : str
        A Ray cluster on which the claims are decided, ``"ray"`` or an address such as ``"ray://head:10001"``.

    Raises
    ------
    RequestError
        A claim is unknown.
    InputError
        A file cannot be run, or registers no claim.

    Examples
    --------
    >>> import timewait
    >>> [(result.name, str(result.verdict)) for result in timewait.prove("C15")]
    [('C15', 'violated')]
    """
    names = claim_files.registered(claims) or tuple(
        name for name, claim in own_claims.CLAIMS.items() if not claim.slow and claim.file is None
    )
    return decide_claims(names, jobs, None if out is None else Path(out), None if cache is None else Path(cache), cluster)


def _options(options: Options | None, keywords: Keywords, closers: Closers) -> Options:
    """The options, or those that the keywords state; a warning names each value that is assumed."""
    if options is None:
        of_scope: Closers = "a" if keywords.get("scope") == Scope.CORE else closers
        chosen: Keywords = {"closers": of_scope, **keywords}
        options = Options.of(**chosen)
        for assumption in assumptions(options.stack, options.overrides):
            warnings.warn(assumption, stacklevel=3)
        return options
    if keywords:
        raise TypeError("give options or keywords, not both")
    return options


class _Decision(NamedTuple):
    """How properties are decided: the engines, the bounds on each exploration, and whether proofs are confirmed."""

    engine: Engine
    budget: Budget
    confirm: bool = False

    def of(self, about: Question, asked: Sequence[Property]) -> list[Answer]:
        """The answers to a question."""
        answers = decide(about, asked, self.engine, self.budget)
        return confirmed(about, asked, answers, self.budget) if self.confirm else answers


def _worse(one: Answer, other: Answer | None) -> Answer:
    """The worse of two answers about one property; a proof is confirmed only if both are."""
    if other is None:
        return one
    worse = max(other, one, key=lambda answer: answer.verdict)
    return replace(worse, confirmation=together([other, one])) if worse.verdict is Verdict.PROVED else worse


def _both_closers(configuration: Configuration, asked: Sequence[Property], decision: _Decision) -> list[Answer]:
    """Decide; where either end may close first, decide for A closing first too and return the worse answer.

    Where B may close first too, B has a loss window, in which the FIN of A counts against the loss budget. Where only A may
    close first, the FIN of A may be lost without limit. So neither model has all runs of the other.
    """
    if not configuration.both_close:
        return decision.of(question(configuration), asked)
    of_first, of_either = questions_of_both(configuration)
    alone = decision.of(of_first, asked)
    left = [entry for entry, answer in zip(asked, alone, strict=True) if answer.verdict is not Verdict.VIOLATED]
    both = {answer.name: answer for answer in decision.of(of_either, left)} if left else {}
    return [_worse(answer, both.get(answer.name)) for answer in alone]


def _narrowed(narrower: Configuration, asked: Sequence[Property], wider: Sequence[Answer], decision: _Decision) -> list[Answer]:
    """The answers for a schedule, given those for any gap up to its greatest.

    Every run of the schedule is a run with any gap, so what is proved for any gap holds. Where A closes first the witnesses
    of each proof are looked for, which shows that it is not vacuous; with two closers, which take long, the proof is inherited.
    """
    alone = _limited(replace(narrower, both_close=False), asked, wider, decision)
    if not narrower.both_close:
        return alone
    proved = {answer.name for answer in wider if answer.verdict is Verdict.PROVED}
    left = [
        entry
        for entry, answer in zip(asked, alone, strict=True)
        if answer.verdict is not Verdict.VIOLATED and entry.name not in proved
    ]
    both = {answer.name: answer for answer in _limited(narrower, left, (), decision)}
    return [_worse(answer, both.get(answer.name)) for answer in alone]


def _limited(
    configuration: Configuration, asked: Sequence[Property], wider: Sequence[Answer], decision: _Decision
) -> list[Answer]:
    """The answers for a schedule: proofs inherited, violations with less text, and what engines say of the rest.

    Liveness that no engine decides in dense time would take states in ticks of its shortest gap without end.
    """
    whole, found = question(configuration), dict[str, Answer]()
    if decision.engine in (Engine.AUTO, Engine.ZONES):
        verdicts = {answer.name: answer.verdict for answer in wider}
        suspected = [entry for entry in asked if entry.kind == "always" and verdicts.get(entry.name) is Verdict.VIOLATED]
        found |= {answer.name: answer for answer in inherited(whole, wider, "any gap", decision.budget)}
        found |= {answer.name: answer for answer in violations_with_less_text(whole, suspected, decision.budget)}
    left = [entry for entry in asked if entry.name not in found]
    limited = decision._replace(budget=replace(decision.budget.fresh(), seconds_in_ticks=SECONDS_IN_TICKS))
    found |= {answer.name: answer for answer in limited.of(whole, left)} if left else {}
    return [found[entry.name] for entry in asked]
