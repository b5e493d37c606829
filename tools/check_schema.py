#!/usr/bin/env python3
"""tools/check_schema.py ORRERY [ROOT]: the schema that ORRERY prints is the committed one, a draft-07 schema, takes every
shipped scenario and refuses what is wrong in each. Each key has a description, for an editor to show; of the bad values that the
program refuses, put under every key, the schema refuses nearly all, and none that the program takes. Exit 77 (skipped) where
jsonschema or yaml are not installed."""
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


def map_of(schema):
    """The form of a section that lists its keys, or None."""
    return next((form for form in [schema, *schema.get("anyOf", [])] if "properties" in form), None)


def leaves(schema, path=()):
    section = map_of(schema)
    if not section:
        yield path, schema
        return
    for key, inner in section["properties"].items():
        yield from leaves(inner, (*path, key))


def undescribed(schema, path=()):
    for key, inner in (map_of(schema) or {"properties": {}})["properties"].items():
        if not inner.get("description"):
            yield ".".join((*path, key))
        yield from undescribed(inner, (*path, key))


# Names of models, clusters and the like are open in the schema: a path of one's own may stand there.
BAD = {"integer": ["two", 1.5, -99999999999], "number": ["many", True], "boolean": ["yes", 1], "array": ["x", {}],
       "object": ["x", 5], "string": [5, []], "pattern": ["5", "5 parsecs", "-5 GB"]}


def bad_values(orrery, scenario, schema, validator):
    """Of one bad value a key, in turn: how many the program refuses, how many of these the schema does, and what it refuses alone."""
    refused = both = 0
    alone = []
    for number, (path, leaf) in enumerate(leaves(schema)):
        values = BAD["pattern" if "pattern" in leaf else leaf.get("type", "string")]
        wrong = copy.deepcopy(scenario)
        at = wrong
        for key in path[:-1]:
            if isinstance(at.get(key), str):
                at[key] = {"mode" if key == "network" else "type": at[key]}
            at = at.setdefault(key, {})
        at[path[-1]] = values[number % len(values)]
        text = yaml.safe_dump(wrong)
        code = subprocess.run([orrery, "check", "-"], input=text, capture_output=True, text=True).returncode
        valid = validator.is_valid(yaml.safe_load(text))
        refused += code == 2
        both += code == 2 and not valid
        if code != 2 and not valid:
            alone.append(".".join(path))
    return refused, both, alone


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
    files = sorted((root / "scenarios").glob("*.yaml")) + sorted((root / "scenarios" / "sweeps").glob("*.yaml"))
    if not files:
        failures.append("no scenarios")
    for file in files:
        scenario = yaml.safe_load(file.read_text())
        for error in validator.iter_errors(scenario):
            failures.append(f"{file.name}: {'.'.join(map(str, error.absolute_path))}: {error.message}")
        for what, wrong in mistakes(scenario):
            if validator.is_valid(wrong):
                failures.append(f"{file.name}: {what} is not refused")
    failures += [f"{key} has no description" for key in undescribed(schema)]
    scenario = yaml.safe_load((root / "scenarios/quickstart-8gpu.yaml").read_text())
    refused, both, alone = bad_values(orrery, scenario, schema, validator)
    failures += [f"the schema refuses a value of {key} that the program takes" for key in alone]
    if refused < 100 or both < 0.98 * refused:
        failures.append(f"of {refused} bad values that the program refuses, the schema refuses {both}")
    print("\n".join(failures) or f"{len(files)} scenarios are valid")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
