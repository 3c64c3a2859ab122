"""Conformance: a running stack and the specification, compared event by event."""
