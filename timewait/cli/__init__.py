"""The command ``timewait``: reads options, asks the library, prints the answer."""

from timewait.vocabulary.deferred import COMMAND_DEFERRED, defer

defer(COMMAND_DEFERRED)
