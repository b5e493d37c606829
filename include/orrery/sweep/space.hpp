// What a sweep goes over: keys of a scenario and the values each takes. A layout is one value of each.
//
//   tensor=1,2,4,8; micro_batch=1..8; nodes=8..64*2; recompute=all; pipeline=auto; zero=none,optimizer
//
//   KEY      a key of a scenario (layout.tensor), or the last part of one where that is unique (tensor); of a section
//            that a text may stand for (schedule, model, stack, network, cluster) that key of it
//   1..8     1, 2, … 8; 8..64+8 in steps; 8..64*2 each twice the one before
//   all      every value that the key may have: choices, true and false, names of schedules, models, stacks
//   auto     every value that divides what the key divides: GPUs, heads, layers, the batch; else as all
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/core/yaml.hpp"

namespace orrery::sweep {

struct Dimension {
  std::string key;                  // layout.tensor
  std::vector<std::string> values;  // as --set takes them; none twice
};

struct Space {
  std::vector<Dimension> dimensions;  // the last varies fastest
  std::vector<std::string> where;     // conditions of the section `sweep`

  // The product of the numbers of values; may be beyond what can be gone over.
  double points() const;
};

// More cannot be gone over; a sample of them can.
inline constexpr double kMostPoints = 1e9;

// The space in words as above; `scenario` is what `auto` is of. Errors: unknown or doubled keys, values that the key
// does not take, ranges that are empty or go backward. Without any dimension: those of default_space().
Result<Space> read_space(std::string_view text, const YamlTree& scenario, Catalogue& catalogue);
// That of the section `sweep` of the scenario, a map of KEY: VALUES (a text as above, or a list) and `where`: a list of
// conditions; no dimensions where there is no such section.
Result<Space> read_space(const YamlTree& scenario, Catalogue& catalogue);
// Every layout that divides: tensor, context, pipeline, virtual, sequence_parallel, micro_batch.
Result<Space> default_space(const YamlTree& scenario, Catalogue& catalogue);

}  // namespace orrery::sweep
