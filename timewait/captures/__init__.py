"""Packet captures of real connections, told as traces of the specification.

In the order of their use: `container` reads the file, `headers` the addresses, ports and numbers of each packet,
`traffic` sorts packets by four-tuple and `connections` keeps those around a close, `fates` says when each copy arrived
or that it was lost, `following` runs both ends on the specification and makes a trace. Then `needs` says how long
TIME_WAIT would have had to be, `profiles` which stacks fit, and `report` puts all of it into words.
"""
