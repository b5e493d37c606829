#!/usr/bin/env python3
"""Checks who includes whom: a room includes only rooms above it, and public headers stay light.

usage: check_layers.py SOURCE_TREE

Prints one line per breach, `file:line: what is wrong`, and exits 1 if there is any.
"""
import pathlib
import re
import sys

# From the top of the house down; each room may include itself and the ones before it.
ROOMS = ["core", "reliability", "hardware", "model", "layout", "cost", "schedule", "network", "program", "engine", "report", "scenario",
         "validation", "sweep", "planning"]
# Kept out of public headers: they are heavy to compile, and a user of the library need not have them.
PRIVATE = re.compile(r"(yaml-cpp|fmt|nlohmann|boost|CLI|doctest|benchmark)/")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def breaches_of(root, path):
    parts = path.relative_to(root).parts
    public = parts[0] == "include"
    room = parts[2] if public else parts[1]
    if room not in ROOMS:
        yield 1, f"'{room}' is no room; rooms are {', '.join(ROOMS)}"
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        header = found.group(1)
        steps = header.split("/")
        target = steps[1] if steps[0] == "orrery" and len(steps) > 2 else steps[0]
        if target in ROOMS and ROOMS.index(target) > ROOMS.index(room):
            yield number, f"room '{room}' must not include '{header}': '{target}' stands below it"
        if public and PRIVATE.match(header):
            yield number, f"a public header must not include <{header}>"
        if public and steps[0] in ROOMS:
            yield number, f"a public header must not include the private header '{header}'"


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    root = pathlib.Path(sys.argv[1])
    files = sorted(p for folder in ("include", "sim") for p in (root / folder).rglob("*") if p.suffix in (".hpp", ".cpp"))
    if not files:
        print(f"{root}: no sources under include/ and sim/", file=sys.stderr)
        return 2
    count = 0
    for path in files:
        for number, message in breaches_of(root, path):
            print(f"{path.relative_to(root)}:{number}: {message}")
            count += 1
    print(f"{len(files)} files, {count} breaches of the room table")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
