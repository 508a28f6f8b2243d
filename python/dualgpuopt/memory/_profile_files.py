"""Profiles as TOML; `dualgpuopt.memory.predictor` has this by its public names."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import Any, Union

from . import _core
from ._estimates import Path
from ._memory_profile import GROWTH_RATE, RECOVERY_BUFFER, MemoryProfile

LARGEST_SIZE = 2**63 - 1  # that TOML has a number for
_ERRORS = {"not_found": FileNotFoundError, "permission_denied": PermissionError, "io": OSError}

Profiles = Union[Mapping[str, MemoryProfile], Iterable[MemoryProfile]]


def _error(code: str, message: str) -> Exception:
    return _ERRORS.get(code, ValueError)(message)


def _size(profile: MemoryProfile, field: str) -> int:
    """Whole bytes; a profile may have any number."""
    value: float = getattr(profile, field)
    if not (math.isfinite(value) and value == int(value) and 0 <= value <= LARGEST_SIZE):
        wanted = "expected whole bytes, 0 to 2**63 - 1"
        raise ValueError(f"the profile {profile.name!r} cannot be saved: its {field} is {value}; {wanted}")
    return int(value)


def _name(profile: MemoryProfile) -> str:
    try:
        profile.name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the profile {profile.name!r} cannot be saved: its name is no Unicode text") from None
    return profile.name


def _plain(profile: MemoryProfile) -> tuple[Any, ...]:
    sizes = (_size(profile, field) for field in ("base_usage", "per_batch_usage", "per_token_usage"))
    return (_name(profile), *sizes, float(profile.growth_rate), float(profile.recovery_buffer))


def _profile(
    name: str, base: int, batch: int, token: int, growth_rate: float | None, recovery_buffer: float | None
) -> MemoryProfile:
    return MemoryProfile(
        name,
        base,
        batch,
        token,
        GROWTH_RATE if growth_rate is None else growth_rate,
        RECOVERY_BUFFER if recovery_buffer is None else recovery_buffer,
    )


def save_profiles(path: Path, profiles: Profiles) -> None:
    """Writes profiles as TOML, for `load_profiles` and for C++. `usage_history` is not saved.

    The file is written beside its place and put there once it is on the disk: whatever happens, it is there as it was
    or as it should be.

    Args:
        path: Of the file; an old one is replaced.
        profiles: Any number up to 10000; of a dictionary the values.

    Raises:
        ValueError: A profile cannot be saved: its name is empty or there twice, a size is not whole or negative, a
            number is not finite.
        OSError: The file cannot be written.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "profiles.toml"
        >>> save_profiles(file, [MemoryProfile("tiny", 7 * 1024**3, 0, 3000)])
        >>> print(file.read_text())
        # Memory profiles: usage = base + batch * per_batch + tokens * per_token
        <BLANKLINE>
        [[profile]]
        name = "tiny"
        base = "7GiB"
        per_batch = 0
        per_token = 3000
        growth_rate = 1.05
        recovery_buffer = 0.85
        <BLANKLINE>
    """
    each = profiles.values() if isinstance(profiles, Mapping) else profiles
    saved, code, message = _core.save_profiles(os.fsencode(path), [_plain(profile) for profile in each])
    if saved is None:
        raise _error(code, message)


def load_profiles(path: Path) -> dict[str, MemoryProfile]:
    r"""Reads profiles that `save_profiles`, C++ or people wrote.

    Args:
        path: A TOML file of at most 16 MiB.

    Returns:
        By name, in the file's order; without `growth_rate` and `recovery_buffer` in the file they are 1.05 and 0.85.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read.
        ValueError: It makes no sense; the message has file, line, column and key, and what was expected.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w") as file:
        ...     _ = file.write("[[profile]]\nname = 'tiny'\nbase = '2GiB'\nper_batch = '1MiB'\nper_token = 0")
        ...     file.flush()
        ...     profiles = load_profiles(file.name)
        >>> profiles["tiny"].base_usage // 1024**3
        2
    """
    profiles, code, message = _core.load_profiles(os.fsencode(path))
    if profiles is None:
        raise _error(code, message)
    return {values[0]: _profile(*values) for values in profiles}
