"""A machine that runs TCP: its settings, its sockets, what they allow, and what needs doing."""
