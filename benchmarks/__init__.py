"""How long things take, measured by hand; no test depends on it."""
