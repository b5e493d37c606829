#!/usr/bin/env python3
"""Checks that names and ways that were given up do not come back.

usage: check_names.py SOURCE_TREE

Prints one line per find, `file:line: what it is, and what to use instead`, and exits 1 if there is any.
"""
import pathlib
import re
import sys

AFTER_STAGES = ["sim/schedule", "sim/program", "sim/report"] + [f"include/orrery/{r}" for r in ("schedule", "program", "report")]
# (folders, pattern, what to use instead). Comments count: they would send the reader looking for what is gone.
GONE = [
    # A neighbour by arithmetic: stage + 1, half.stage - 1, == stages - 1, for (s; s + 1 < stages).
    (AFTER_STAGES, r"(?<!\* )\b(?:stage|stage_|s)\)?\s*[+-]\s*(?:1\b|\()|==\s*[\w.]*\bstages_?(?:\(\))?\s*-\s*1\b|\bstages_?\s*-\s*1\s*==",
     "who feeds a stage, and whom it feeds, says layout::StageGraph"),
    (AFTER_STAGES, r"\bpipeline(?:_rank)?\)?\s*[+-]\s*1\b|\bforward_from\b|\bbackward_from\b",
     "pipeline ranks follow each other as Ranks::along_model says"),
    (["sim", "include", "tools", "tests"], r"\b(?:StepPlan|PlanParts|plan_parts|for_sweep)\b",
     "scenario::resolve gives a Run, which owns a program::StepInput"),
    (["sim", "include"], r"\b(?:input|output)_message\b", "messages are the edges of layout::StageGraph"),
    # What is not the one dimension asked for would be taken for another: lane == Lane::tensor ? … : …
    (["sim", "include"], r"\b(?:Dimension|Lane)::(?:tensor|context|data|pipeline)\s*\?|\bStepGroup\b",
     "what differs along the dimensions stands in their list (layout/dimension.hpp, program/dimension_calls.hpp)"),
    (["sim", "include"], r"\b(?:tensor|context)_(?:group|groups|domains|rank|of|class_)\b",
     "process groups and what is said of them are indexed by layout::Dimension"),
    (["sim", "include"], r"\bneeded_(?:by|at)\b|\bchunked_(?:with|at)\b|\bkAfterOperator\b",
     "a call says how many of the steps behind it run beside it (PassStep::beside), and program::PassOrder whom each follows"),
    (["sim/program"], r"\bshift\b", "Pass::received counts the steps in front of a stage's own"),
    (["sim", "include", "tools", "tests"], r"\b(?:ExecutionPlan|execution_plan|PipelinePlan|StatePlan|RecomputePlan|MessageKind)\b",
     "mechanisms read the sections of the stack (StepInput::stack, PassOptions); a plan is that of a collective"),
    (["sim/program", "include/orrery/program"], r"\b(?:NamedFamily|Family|families_of|EdgeKind|edge_kinds|StepMemory|plan_)\b",
     "ProcessGroups; edges order tasks and have no kind; layout::MemoryChange; input_"),
    (["include"], r"\bmessage_bytes\b", "messages are as large as the edges of layout::StageGraph say"),
]


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    root = pathlib.Path(sys.argv[1])
    files = count = 0
    for folders, pattern, instead in GONE:
        gone = re.compile(pattern)
        for folder in folders:
            # How a kind of schedule counts its own stages is no question of who feeds whom.
            for path in sorted(p for p in (root / folder).rglob("*") if p.suffix in (".hpp", ".cpp") and p.parent.name != "kinds"):
                files += 1
                for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                    found = gone.search(line)
                    if found:
                        print(f"{path.relative_to(root)}:{number}: '{found.group(0).strip()}' is gone: {instead}")
                        count += 1
    if files == 0:
        print(f"{root}: no sources", file=sys.stderr)
        return 2
    print(f"{files} files read, {count} names that were given up")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
