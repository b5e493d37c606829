#!/usr/bin/env python3
"""The layering check finds each kind of breach, and nothing else."""
import pathlib
import subprocess
import sys
import tempfile

CHECK = pathlib.Path(__file__).with_name("check_layers.py")
TREE = {
    "include/orrery/core/a.hpp": '#include <vector>\n#include "orrery/core/b.hpp"\n#include "orrery/model/up.hpp"\n',
    "include/orrery/engine/fine.hpp": '#include "orrery/core/a.hpp"\n#include "orrery/network/x.hpp"\n',
    "include/orrery/model/heavy.hpp": "#include <fmt/format.h>\n#  include <boost/graph/graph_traits.hpp>\n",
    "include/orrery/model/private.hpp": '#include "model/inner.hpp"\n',
    "sim/model/fine.cpp": '#include <fmt/format.h>\n#include "model/inner.hpp"\n#include "core/json.hpp"\n',
    "sim/network/low.cpp": '// #include "orrery/engine/not_me.hpp"\n#include "report/table.hpp"\n',
    "sim/kitchen/x.cpp": "\n",
}
EXPECTED = """\
include/orrery/core/a.hpp:3: room 'core' must not include 'orrery/model/up.hpp': 'model' stands below it
include/orrery/model/heavy.hpp:1: a public header must not include <fmt/format.h>
include/orrery/model/heavy.hpp:2: a public header must not include <boost/graph/graph_traits.hpp>
include/orrery/model/private.hpp:1: a public header must not include the private header 'model/inner.hpp'
sim/kitchen/x.cpp:1: 'kitchen' is no room; rooms are core, reliability, hardware, model, layout, cost, schedule, network, program, engine, \
report, scenario, validation, sweep, planning
sim/network/low.cpp:2: room 'network' must not include 'report/table.hpp': 'report' stands below it
7 files, 6 breaches of the room table
"""

with tempfile.TemporaryDirectory() as folder:
    for name, text in TREE.items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    run = subprocess.run([sys.executable, CHECK, folder], capture_output=True, text=True, check=False)
if run.returncode != 1 or run.stdout != EXPECTED:
    print(f"expected exit code 1 and\n{EXPECTED}\ngot {run.returncode} and\n{run.stdout}{run.stderr}")
    sys.exit(1)
