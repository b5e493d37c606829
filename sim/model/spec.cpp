#include "orrery/model/spec.hpp"

#include "orrery/model/operators.hpp"

namespace orrery::model {

std::int64_t parameter_count(const ModelSpec& spec) {
  std::int64_t sum = 0;
  for (const Operator& op : operator_graph(spec, {.sequence_length = 1}).operators)
    sum = checked_add(sum, op.parameters);
  return sum;
}

}  // namespace orrery::model
