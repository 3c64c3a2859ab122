"""The errors that a user of the library or of a command can mend.

::

    ValueError
    ├── RequestError    a command exits with 2
    │   ├── timewait.spec.configuration.ConfigurationError
    │   ├── timewait.spec.stacks.MissingValue
    │   └── timewait.spec.stacks.UnknownStack
    └── InputError      a command exits with 3
        ├── timewait.captures.container.BrokenCapture
        ├── timewait.checker.certificate.BrokenCertificate
        ├── timewait.checker.itf.BrokenTrace
        ├── timewait.spec.host.HostUnreadable
        └── timewait.spec.stacks.BrokenStack
"""


class RequestError(ValueError):
    """The request makes no sense or leaves a needed value open; the message is one line."""


class InputError(ValueError):
    """An input file, or a setting of this machine, cannot be read; the message names the file."""
