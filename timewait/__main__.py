"""``python -m timewait``."""

from timewait.command import main

main()
