"""Exports of a timed system to other model checkers.

`plan` names everything once for all formats, each format is a module with functions of a plan, and `formats` lists them.
Nothing is shared with the engines but the compiled automaton: no zone, no state, no formula.
"""
