#!/usr/bin/env python3
"""one_file.py GPUMEM: the command needs nothing but glibc at run time, so that it can be copied to any machine."""

import re
import subprocess
import sys

GLIBC = re.compile(r"^(libc|libm|libdl|libpthread|librt|ld-linux[-\w]*)\.so\.\d+$")


def main() -> int:
    listing = subprocess.run(["readelf", "--dynamic", sys.argv[1]], check=True, capture_output=True, text=True).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", listing)
    others = [library for library in needed if not GLIBC.match(library)]
    print("needs:", ", ".join(needed))
    if not needed or others:
        print("not of glibc:", ", ".join(others) or "(no libraries found: is this a dynamic executable?)")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
