"""The command ``timewait``: reads what people type, asks, and prints the answer."""
