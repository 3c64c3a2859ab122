"""How claims are decided: engines, traces, verdicts and certificates. Nothing in here knows TCP."""
