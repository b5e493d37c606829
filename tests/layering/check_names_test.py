#!/usr/bin/env python3
"""The check of names that were given up finds each, and nothing else."""
import pathlib
import subprocess
import sys
import tempfile

CHECK = pathlib.Path(__file__).with_name("check_names.py")
TREE = {
    "sim/program/c.cpp": "auto& g = lane == Lane::tensor ? team.tensor : team.context;\nd == Dimension::context ? a : b;\n"
                         "StepGroup group;\ngrid.tensor_group(at);\nranks.context_of[r];\n",
    "sim/program/fine_too.cpp": "lane == Lane::compute ? alone : team.groups[d];\nf(Dimension::tensor);\n",
    "sim/program/a.cpp": "const int from = forward ? stage - 1 : other;\nconst int to = rank_of(half.stage + 1, pipe);\n"
                         "const int to = half.stage + (gradient ? -1 : 1);\nif (stage == stages_ - 1) return;\n"
                         "for (int s = 0; s + 1 < p.stages; ++s) f(s);\ngo(device.pipeline_rank + 1);\nx = ranks.forward_from[r];\n",
    "sim/program/fine.cpp": "stage += 1;\nf(2 * stage + 1);\n// stages 0 to stages - 1\nfirst_[s - 10];\n",
    "sim/schedule/kinds/fine.cpp": "go(stage + 1);\n",
    "tools/orrery/c.cpp": "const PlanParts parts = plan_parts(for_sweep(s));\n",
    "sim/layout/b.cpp": "if (stage + 1 < stages) ++stage;\nBytes input_message();\n",
    "sim/layout/c.cpp": "if (step.needed_by < 0) step.needed_at = 2;\nconst int unneeded_by = chunked_with(kAfterOperator);\n",
    "sim/program/d.cpp": "const auto moved = shift(key);\nBytes message_bytes(int edge);\nshifted = bits << 2;\n",
    "include/orrery/program/e.hpp": "std::int64_t message_bytes = 2;\n",
}
EXPECTED = """\
sim/program/a.cpp:1: 'stage - 1' is gone
sim/program/a.cpp:2: 'stage + 1' is gone
sim/program/a.cpp:3: 'stage + (' is gone
sim/program/a.cpp:4: '== stages_ - 1' is gone
sim/program/a.cpp:5: 's + 1' is gone
sim/program/a.cpp:6: 'pipeline_rank + 1' is gone
sim/program/a.cpp:7: 'forward_from' is gone
tools/orrery/c.cpp:1: 'PlanParts' is gone
sim/layout/b.cpp:2: 'input_message' is gone
sim/program/c.cpp:1: 'Lane::tensor ?' is gone
sim/program/c.cpp:2: 'Dimension::context ?' is gone
sim/program/c.cpp:3: 'StepGroup' is gone
sim/program/c.cpp:4: 'tensor_group' is gone
sim/program/c.cpp:5: 'context_of' is gone
sim/layout/c.cpp:1: 'needed_by' is gone
sim/layout/c.cpp:2: 'chunked_with' is gone
sim/program/d.cpp:1: 'shift' is gone
include/orrery/program/e.hpp:1: 'message_bytes' is gone
"""

with tempfile.TemporaryDirectory() as folder:
    for name, text in TREE.items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    run = subprocess.run([sys.executable, CHECK, folder], capture_output=True, text=True, check=False)
found = "".join(line.split(" is gone")[0] + " is gone\n" for line in run.stdout.splitlines() if " is gone" in line)
if run.returncode != 1 or found != EXPECTED:
    print(f"expected exit code 1 and\n{EXPECTED}\ngot {run.returncode} and\n{run.stdout}{run.stderr}")
    sys.exit(1)
