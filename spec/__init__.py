"""The specification of a TCP close: endpoints, network, timers and stacks, as data and pure functions."""
