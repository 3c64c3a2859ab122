"""The command ``timewait``: reads options, asks the library, prints the answer."""

import atexit

from timewait.cli.interrupts import OF_THE_COMMAND
from timewait.vocabulary.deferred import COMMAND_DEFERRED, defer

atexit.register(OF_THE_COMMAND.leave)  # before whatever else is registered, so that it comes last
defer(COMMAND_DEFERRED)
