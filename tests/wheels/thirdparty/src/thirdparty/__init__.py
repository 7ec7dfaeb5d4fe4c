"""The library is in the process before an extension that is linked to it."""

import coloop  # noqa: F401
