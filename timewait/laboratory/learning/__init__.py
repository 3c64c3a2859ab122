"""Active automata learning: the Mealy machine of a running kernel, beside that of the specification."""
