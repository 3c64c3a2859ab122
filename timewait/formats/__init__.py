"""Files for other tools, each a pure function of a trace or of verdicts.

`trace_formats` lists the formats of a trace: `mermaid` (a sequence diagram as text), `pcapng` (a packet capture), `packetdrill`
(a script that tests one end), `sarif`, and the Informal Trace Format of `timewait.checker.itf`. `sarif`, `junit` and `github`
report verdicts, given as the cases of `case`.
"""
