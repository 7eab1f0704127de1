"""What goes wrong with storage: for good, or in a way that may pass; and patience with the latter."""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Callable
from typing import TypeVar

from birddask.errors import BirddaskError, StorageError, TransientStorageError

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 10.0
_FOR_GOOD = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.EFBIG,
        errno.EMSGSIZE,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOTEMPTY,
        errno.ENOSYS,
    }
)
# Clients' own exceptions that repeating won't change; by name, because not every client is installed.
_FOR_GOOD_NAMES = frozenset(
    {
        "AuthenticationException",
        "BadHostKeyException",
        "LogonFailure",
        "NoCredentialsError",
        "PartialCredentialsError",
        "ParamValidationError",
        "ProfileNotFound",
        "UnknownSignatureVersionError",
    }
)

T = TypeVar("T")


def is_missing(error: Exception) -> bool:
    """Whether an operation failed because there is no such file; some clients have errors of their own for it."""
    return isinstance(error, FileNotFoundError) or (isinstance(error, OSError) and error.errno == errno.ENOENT)


def is_for_good(error: Exception, *, local: bool) -> bool:
    """Whether repeating an operation that failed so is in vain.

    Unknown kinds count as passing: an error too many is repeated, but no recording is given up for a passing fault.
    """
    if isinstance(error, PermissionError | NotADirectoryError | IsADirectoryError | FileExistsError):
        return True
    if any(kind.__name__ in _FOR_GOOD_NAMES for kind in type(error).__mro__):
        return True
    if isinstance(error, OSError):
        # Object stores also answer EINVAL to a body that was cut on its way.
        return error.errno in _FOR_GOOD or (local and error.errno == errno.EINVAL)
    return isinstance(error, TypeError | NotImplementedError)


def patiently(action: Callable[[], T], describe: Callable[[Exception], str], patience_s: float, *, local: bool) -> T:
    """The result of an action, repeated with growing, jittered waits while it fails in a way that may pass.

    Args:
        action: may be repeated at any time.
        describe: the message of an error.
        patience_s: no new attempt is made after so many seconds.
        local: it works on this machine's own files.

    Raises:
        FileNotFoundError: as it is.
        StorageError: a fault for good.
        TransientStorageError: a fault that may pass, but did not.
    """
    deadline_s = time.monotonic() + patience_s
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            return action()
        except (FileNotFoundError, BirddaskError):
            raise
        except Exception as error:
            if is_for_good(error, local=local):
                raise StorageError(describe(error)) from error
            if time.monotonic() + wait_s > deadline_s:
                raise TransientStorageError(describe(error)) from error
        time.sleep(wait_s * random.uniform(0.5, 1))  # noqa: S311 - so that workers do not come back all at once
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
