"""The vocabulary shared by the specification and the engines: timed automata, and states of a replay."""
