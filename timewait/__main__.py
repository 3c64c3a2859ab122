"""``python -m timewait``."""

from timewait.cli.main import main

main()
