"""The probability that a close ends in a RST, and that an old duplicate is accepted, as a function of TIME_WAIT."""
