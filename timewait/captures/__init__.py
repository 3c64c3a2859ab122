"""Packet captures of real connections: judged from their packets, and reconstructed as traces of the specification.

`closes.read_closes` does all of it. In order of use: `capture_file` reads frames, `headers` (with `fragments`) decodes them,
`time_order` puts them in order, `traffic` sorts packets by four-tuple and incarnation, and `connections` (with `direction`)
keeps those around a close as segments with relative numbers. `ordering` finds the order of sending, and `delivery` infers
when each copy arrived, that it was lost, or that nothing shows it.

`judging` makes the facts of a connection from these `passages` alone: `fins`, `resets` (with `devices`), `time_wait_facts`,
`end_states`, `deviations` and `unknowns`. `following` runs both ends on the specification and makes a trace, which is the
likeliest reading of the capture. `time_wait_lengths` computes the TIME-WAIT needed, `profiles` the stacks that fit, and
`report` writes sentences. `observations` and `facts` declare the data.

A packet has three forms: `headers.CapturedPacket` (as on the wire), `connections.CapturedSegment` (with relative numbers) and
`delivery.Delivery` (with its sending and arrivals). In the trace it is a `timewait.vocabulary.replay.Packet`.
"""
