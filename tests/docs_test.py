#!/usr/bin/env python3
"""Runs every command shown in a ```console block of the documentation and compares what it prints.

Usage: docs_test.py BINARY FILE...   A line that starts with "$ " is a command; the lines up to the next command or the end of the
block are its output. "…" alone on a line stands for any lines. ORRERY_UPDATE_GOLDEN=1 rewrites the outputs instead.
"""
import os
import re
import subprocess
import sys


def blocks(text):
    return re.finditer(r"```console\n(.*?)```", text, re.S)


def cases(block):
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def run(command, binary):
    path = os.path.dirname(binary) + os.pathsep + os.environ["PATH"]
    if command.startswith("tools/run "):
        command = "orrery run " + command[len("tools/run "):]
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env={**os.environ, "PATH": path, "NO_COLOR": "1"})
    return done.stdout + done.stderr


def matches(shown, printed):
    pattern = ".*\n".join(re.escape(p) for p in re.split(r"^…\n", shown, flags=re.M))
    return re.fullmatch(pattern.replace(".*\n", "(?:.*\n)*"), printed) is not None


def main():
    binary, files = os.path.abspath(sys.argv[1]), sys.argv[2:]
    failed = count = 0
    for name in files:
        text = open(name, encoding="utf-8").read()
        updated = text
        for block in blocks(text):
            for command, shown in cases(block.group(1)):
                count += 1
                printed = run(command, binary)
                if os.environ.get("ORRERY_UPDATE_GOLDEN") and "…" not in shown:
                    updated = updated.replace("$ " + command + "\n" + shown, "$ " + command + "\n" + printed)
                elif not matches(shown, printed):
                    failed += 1
                    print(f"{name}: $ {command}\n--- shown\n{shown}--- printed\n{printed}")
        if updated != text:
            open(name, "w", encoding="utf-8").write(updated)
    print(f"{count - failed} passed, {failed} failed")
    return 1 if failed or not count else 0


sys.exit(main())
