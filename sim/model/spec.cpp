#include "orrery/model/spec.hpp"

#include "orrery/model/graph.hpp"

namespace orrery::model {

std::int64_t parameter_count(const ModelSpec& spec) {
  const ModelGraph graph = model_graph(spec, {});
  std::int64_t sum = 0;
  for (const Operator& op : graph.operators) sum = checked_add(sum, parameters_of(graph, op));
  return sum;
}

}  // namespace orrery::model
