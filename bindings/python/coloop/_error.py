"""The exception for C code's failures."""


class Error(RuntimeError):
    """A failure of C code's that none of Python's own exceptions stands for.

    code: the negative number that C code gave.
    """

    def __init__(self, code, message):
        super().__init__(code, message)
        self.code = code

    def __str__(self):
        return self.args[1]
