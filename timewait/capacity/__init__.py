"""The cost of TIME-WAIT in numbers: ports, refused connections, sockets and memory, predicted and measured."""
