"""What can be wrong with an engine before anything of ours runs."""


class EngineMissing(Exception):
    """The program is not on this machine. The message says what to install."""


class EngineFailed(Exception):
    """The program is there and did not do what it should. The message says where its log is."""
