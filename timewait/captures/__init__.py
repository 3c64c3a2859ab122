"""Packet captures of real connections, reconstructed as traces of the specification.

`closes.read_closes` does all of it. In order of use: `capture_file` reads frames, `headers` decodes them into packets,
`traffic` sorts packets by four-tuple and `connections` keeps those around a close as segments with relative numbers,
`delivery` infers when each copy arrived or that it was lost, and `following` runs both ends on the specification and makes a
trace. `time_wait_lengths` then computes the TIME-WAIT needed, `profiles` the stacks that fit, and `report` writes sentences.

A packet has three forms: `headers.CapturedPacket` (as on the wire), `connections.CapturedSegment` (with relative numbers) and
`delivery.Delivery` (with its sending and arrivals). In the trace it is a `timewait.vocabulary.replay.Packet`.
"""
