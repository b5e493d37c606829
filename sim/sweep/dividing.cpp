// What `auto` stands for. A value that is left out here would be refused by a rule of the scenario; one that is in may
// still be, together with others.
#include <algorithm>
#include <numeric>

#include "sweep/values.hpp"

namespace orrery::sweep {
namespace {

using scenario::Scenario;

template <class Keep>
std::vector<std::int64_t> divisors(std::int64_t of, Keep keep) {
  std::vector<std::int64_t> found;
  for (std::int64_t d = 1; d * d <= of; ++d) {
    if (of % d != 0) continue;
    for (const std::int64_t each : {d, of / d})
      if (keep(each) && std::find(found.begin(), found.end(), each) == found.end()) found.push_back(each);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::int64_t> tensor(const Scenario& s) {
  const std::int64_t heads = std::gcd(std::gcd(s.model.heads, s.model.kv_heads), s.model.ffn_hidden);
  return divisors(s.gpus(), [&](std::int64_t d) { return heads % d == 0; });
}

std::vector<std::int64_t> context(const Scenario& s) {
  const bool relative =
      s.model.position == model::Position::relative || s.model.position == model::Position::relative_bias;
  if (relative || s.model.has_two_stacks()) return {1};
  const std::int64_t length = s.training.sequence_length;
  return divisors(s.gpus(), [&](std::int64_t d) { return d == 1 || length % (2 * d) == 0; });
}

// Embedding and head may take a place each.
std::int64_t places(const Scenario& s) {
  return s.model.layers + (s.layout.partition == layout::Partition::ends_count_as_layers ? 2 : 0);
}

std::vector<std::int64_t> pipeline(const Scenario& s) {
  const bool even = s.layout.partition <= layout::Partition::ends_count_as_layers;
  return divisors(s.gpus(), [&](std::int64_t d) { return even ? places(s) % d == 0 : d <= s.model.layers + 2; });
}

// All that leave a stage for the decoder, in a chunk a rank.
std::vector<std::int64_t> encoder_stages(const Scenario& s) {
  if (!s.model.has_two_stacks() || s.layout.stages() < 2) return {0};
  std::vector<std::int64_t> any(static_cast<std::size_t>(std::min(s.layout.stages() - 1, 64)));
  std::iota(any.begin(), any.end(), 1);
  return any;
}

std::vector<std::int64_t> virtual_stages(const Scenario& s) {
  if (s.layout.partition <= layout::Partition::ends_count_as_layers)
    return divisors(places(s), [](std::int64_t) { return true; });
  std::vector<std::int64_t> any(static_cast<std::size_t>(std::min<std::int64_t>(s.model.layers, 16)));
  std::iota(any.begin(), any.end(), 1);
  return any;
}

}  // namespace

std::vector<std::int64_t> dividing(const std::string& key, const Scenario& s) {
  const auto all = [](std::int64_t) { return true; };
  if (key == "layout.tensor") return tensor(s);
  if (key == "layout.context") return context(s);
  if (key == "layout.pipeline") return pipeline(s);
  if (key == "layout.data") return divisors(s.gpus(), [&](std::int64_t d) { return s.training.global_batch % d == 0; });
  if (key == "layout.virtual") return virtual_stages(s);
  if (key == "layout.encoder_stages") return encoder_stages(s);
  if (key == "layout.shard_degree") return divisors(s.gpus(), all);
  if (key == "training.micro_batch") return divisors(s.training.global_batch, all);
  return {};
}

std::string_view depends_on(std::string_view key) {
  if (key == "layout.context") return "training.sequence_length";
  if (key == "layout.data" || key == "training.micro_batch") return "training.global_batch";
  if (key == "layout.encoder_stages") return "layout.pipeline";
  if (key == "layout.pipeline" || key == "layout.virtual") return "layout.partition";
  return {};
}

}  // namespace orrery::sweep
