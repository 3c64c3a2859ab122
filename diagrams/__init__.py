"""Pictures and tables, each a pure function of what it shows."""
