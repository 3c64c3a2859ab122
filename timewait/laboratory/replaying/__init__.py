"""A trace carried out step by step on two kernels, with this process as the network."""
