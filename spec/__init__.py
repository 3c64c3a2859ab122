"""What TCP does when it closes: endpoints, network, timers and stacks, as data and pure functions."""
