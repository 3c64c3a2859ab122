"""Packet captures of real connections, told as traces of the specification.

In the order of their use: `container` reads the file, `headers` the addresses, ports and numbers of each packet,
`connections` sorts packets by four-tuple and keeps those around a close, `fates` says when each copy arrived or that
it was lost, `following` runs both ends on the specification and makes a trace, `remarks` and `profiles` say where the
peers differ from the standard, how long TIME_WAIT would have had to be, and which stack profiles fit.
"""
