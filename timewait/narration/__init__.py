"""Sentences about traces: what happened, why it could happen, and which rule of the standard says so."""
