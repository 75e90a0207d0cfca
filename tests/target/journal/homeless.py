"""`target-mailing`, run by a user that has no entry in the password file."""

from __future__ import annotations

import pwd

from target_mailing.__main__ import main


def _no_entry(*_: object) -> None:
    raise KeyError


if __name__ == "__main__":
    pwd.getpwuid = pwd.getpwnam = _no_entry  # type: ignore[assignment]
    main()
