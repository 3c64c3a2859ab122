"""The command ``timewait``: reads options, asks the library, prints the answer."""
