"""Files that other tools read, each a pure function of a trace or of answers.

Of one trace: `mermaid` (a sequence diagram as text), `pcapng` (a packet capture), `packetdrill` (a script that puts one
end to the test). Of answers, as `case` has them: `sarif`, `junit`, `github`. Of a search while it goes on: `events`.
The Informal Trace Format is `timewait.checker.itf`.
"""
