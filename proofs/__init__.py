"""What is claimed about the close, and the questions that decide it."""
