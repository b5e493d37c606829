#!/usr/bin/env python3
"""The mutants that tools/mutate finds in a source by rule, and the source with them."""
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools/mutation"))
import sites  # noqa: E402

SOURCE = '''\
#include <vector>  // a + b
enum class Kind : int { all = 0, none };
constexpr int kBase = 3 + 4;
template <int N = 5>
struct Box {
  int size = 6;
};
int f(Kind kind, std::vector<int>& v) {
  const int twice = g(v[0] * 2, "a - b");  // c && d
  int all[4] = {};
  check(twice > 0, "never");
  v.reserve(9);
  if (kind == Kind::all)
    v.push_back(twice);
  else
    ++v[1];
  switch (kind) {
    case Kind::none:
      return twice < 8 ? twice : -twice;
  }
  for (int& x : v) x += twice;
  return all[2] + [&] { return 7; }();
}
'''
EXPECTED = '''\
6 constant: int size = 6; -> int size = 7;
9 constant: const int twice = g(v[0] * 2, "a - b"); -> const int twice = g(v[-1] * 2, "a - b");
9 constant: const int twice = g(v[0] * 2, "a - b"); -> const int twice = g(v[0] * 3, "a - b");
9 operator: v[0] * 2 -> v[0] / 2
13 enum: Kind::all -> Kind::none
13 operator: kind == Kind::all -> kind != Kind::all
14 drop: v.push_back(twice); -> 
16 constant: ++v[1]; -> ++v[2];
16 drop: ++v[1]; -> 
19 constant: return twice < 8 ? twice : -twice; -> return twice < 9 ? twice : -twice;
19 operator: twice < 8 -> twice <= 8
21 drop: x += twice; -> 
22 constant: return all[2] + [&] { return 7; }(); -> return all[1] + [&] { return 7; }();
22 constant: return all[2] + [&] { return 7; }(); -> return all[2] + [&] { return 8; }();
22 operator: all[2] + [&] { return 7; }() -> all[2] - [&] { return 7; }()
'''

source = sites.Source("sim/model/f.cpp", SOURCE)
found = sorted(source.sites(sites.enumerations([SOURCE]), random.Random(1)), key=lambda s: (s.line, s.kind, s.start))
listed = "".join(f"{s.line} {s.kind}: {s.before} -> {s.after[1]}\n" for s in found)
if "".join(sorted(w.split("->")[0] for w in listed.splitlines())) != "".join(sorted(w.split("->")[0] for w in EXPECTED.splitlines())):
    print(f"--- expected\n{EXPECTED}--- found\n{listed}")
    sys.exit(1)

drop = next(s for s in found if s.line == 14)
operator = next(s for s in found if s.line == 19 and s.kind == "operator")
text = sites.rewrite(source, [(0, drop), (1, operator)])
for part in ("{ if (!orrery_mutant(0)) v.push_back(twice); }\n  else", "return (orrery_mutant(1) ? (twice <= 8) : (twice < 8)) ? twice"):
    if part not in text:
        print(f"missing: {part}\n{text}")
        sys.exit(1)
if text.count("\n") != SOURCE.count("\n") + 2:
    print("lines moved")
    sys.exit(1)
