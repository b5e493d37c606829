#!/usr/bin/env python3
"""tools/check_schema.py ORRERY [ROOT]: the schema that ORRERY prints is the committed one, a draft-07 schema, takes every
shipped scenario and refuses what is wrong in each. Exit 77 (skipped) where jsonschema or yaml are not installed."""
import copy
import json
import pathlib
import subprocess
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing} (Debian: python3-jsonschema python3-yaml)")
    sys.exit(77)


def mistakes(scenario):
    """The scenario with one thing wrong each."""
    def changed(path, value):
        wrong = copy.deepcopy(scenario)
        at = wrong
        for key in path[:-1]:
            if not isinstance(at.get(key), dict):
                at[key] = {}
            at = at[key]
        at[path[-1]] = value
        return wrong
    yield "an unknown section", changed(["layuot"], {})
    yield "an unknown key", changed(["layout", "tensr"], 2)
    yield "a text for a number", changed(["training", "global_batch"], "many")
    yield "a number below its range", changed(["layout", "pipeline"], 0)
    yield "a choice there is not", changed(["training", "precision"], "fp17")
    yield "a quantity without its unit", changed(["cluster", "pcie_bandwidth"], 31)
    yield "no training", {key: value for key, value in scenario.items() if key != "training"}


def main():
    orrery = sys.argv[1]
    root = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else ".")
    text = subprocess.run([orrery, "schema"], check=True, capture_output=True, text=True).stdout
    failures = []
    if (root / "scenario.schema.json").read_text() != text:
        failures.append("scenario.schema.json is not what `orrery schema` prints; write it anew with `orrery schema > scenario.schema.json`")
    schema = json.loads(text)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    files = sorted((root / "scenarios").glob("*.yaml"))
    if not files:
        failures.append("no scenarios")
    for file in files:
        scenario = yaml.safe_load(file.read_text())
        for error in validator.iter_errors(scenario):
            failures.append(f"{file.name}: {'.'.join(map(str, error.absolute_path))}: {error.message}")
        for what, wrong in mistakes(scenario):
            if validator.is_valid(wrong):
                failures.append(f"{file.name}: {what} is not refused")
    print("\n".join(failures) or f"{len(files)} scenarios are valid")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
