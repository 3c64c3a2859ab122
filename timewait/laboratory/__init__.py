"""The laboratory: network namespaces of a process of its own, in which the kernel's TCP meets a network that the process plays.

`isolated` runs a function in such a process; everything that it makes vanishes with the process. In the function,
`KernelPair` connects two kernel sockets and decides the fate of every packet between them; `CraftedPeer` is itself the peer of
kernel sockets and sends any segment.
"""
