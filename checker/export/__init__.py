"""A timed system written down for other people's checkers, each from nothing but an automaton and some words.

============  =========================  =========================  ====================================================
module        for                        time                       what may differ from here
============  =========================  =========================  ====================================================
``promela``   SPIN                       ticks                      nothing: the same states, one for one
``tla``       TLC, Apalache              ticks                      nothing: the same states, one for one
``tchecker``  TChecker                   dense                      zones are counted otherwise; verdicts are the same
``imitator``  IMITATOR                   dense, durations symbolic  it need not come to an end
``smt2``      Z3 and other Horn solvers  dense                      sat and unsat the other way round (the file says so)
============  =========================  =========================  ====================================================

Nothing is shared with the engines but the automaton itself: no zone, no state, no formula. What it cannot say,
the title of a location or the section of a rule, the caller hands over as `plan.Words`.
"""
