#include "orrery/layout/routing.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "orrery/core/random.hpp"
#include "orrery/layout/layout.hpp"

namespace orrery::layout {
namespace {

// Natural logarithm and exponential from sums and products alone, the same on every machine: ln m = 2 artanh((m − 1) /
// (m + 1)) with m within √2 of 1, and the series of e^r with |r| ≤ ln 2 / 2.
constexpr double kLn2 = 0.693147180559945309417;

double logarithm(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // exact
  if (m < 0.70710678118654752) m *= 2, --exponent;
  const double s = (m - 1) / (m + 1), square = s * s;
  double sum = 0;
  for (int i = 25; i >= 1; i -= 2) sum = sum * square + 1.0 / i;
  return 2 * s * sum + exponent * kLn2;
}

double exponential(double x) {
  const auto k = static_cast<int>(x / kLn2 + (x < 0 ? -0.5 : 0.5));
  const double r = x - k * kLn2;
  double sum = 1;
  for (int i = 20; i >= 1; --i) sum = 1 + sum * r / i;
  return std::ldexp(sum, k);  // exact
}

double power(double x, double exponent) {
  return exponential(exponent * logarithm(x));
}

// What is above `most` is poured over the lowest, which rise together.
void level(std::vector<double>& descending, double most) {
  double excess = 0;
  for (double& load : descending) {
    excess += std::max(load - most, 0.0);
    load = std::min(load, most);
  }
  std::size_t lowest = 1;  // so many share what is poured
  const std::size_t n = descending.size();
  while (excess > 0 && lowest < n) {
    const double room = (descending[n - 1 - lowest] - descending[n - 1]) * static_cast<double>(lowest);
    if (room >= excess) break;
    excess -= room;
    for (std::size_t i = n - lowest; i < n; ++i) descending[i] = descending[n - 1 - lowest];
    ++lowest;
  }
  for (std::size_t i = n - lowest; i < n && excess > 0; ++i)
    descending[i] = std::min(most, descending[i] + excess / static_cast<double>(lowest));
}

// `total` in whole parts by `weights`: the largest remainders are rounded up, of equal ones the first.
std::vector<std::int64_t> whole_parts(const std::vector<double>& weights, std::int64_t total) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<std::int64_t> parts;
  std::vector<std::pair<double, std::size_t>> rest;
  std::int64_t left = total;
  for (const double weight : weights) {
    const double exact = weight / sum * static_cast<double>(total);
    parts.push_back(static_cast<std::int64_t>(exact + 1e-9));
    rest.emplace_back(static_cast<double>(parts.back()) - exact, rest.size());
    left -= parts.back();
  }
  std::sort(rest.begin(), rest.end());
  for (std::size_t i = 0; left > 0; i = (i + 1) % rest.size(), --left) ++parts[rest[i].second];
  return parts;
}

std::vector<double> shares_of(const model::Experts& experts, std::int64_t layers, std::int64_t tokens,
                              const Routing& routing, std::int64_t layer) {
  if (routing.loads) return (*routing.loads)[static_cast<std::size_t>(std::min(layer, layers - 1))];
  const std::vector<double> loads = power_law_loads(experts, tokens, routing.exponent);
  std::vector<std::size_t> order(loads.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Random random = Random(static_cast<std::uint64_t>(routing.seed)).fork(static_cast<std::uint64_t>(layer));
  random.shuffle(order);
  std::vector<double> shares(loads.size());
  for (std::size_t i = 0; i < order.size(); ++i) shares[order[i]] = loads[i];
  return shares;
}

// ⌈factor · copies / experts⌉
std::int64_t capacity_of(const Routing& routing, std::int64_t copies, std::int64_t experts) {
  const double exact = static_cast<double>(copies) / static_cast<double>(experts) * routing.capacity;
  const auto whole = static_cast<std::int64_t>(exact);
  return whole + (exact > static_cast<double>(whole) + 1e-9 ? 1 : 0);
}

}  // namespace

std::vector<double> power_law_loads(const model::Experts& experts, std::int64_t tokens, double exponent) {
  const double copies = static_cast<double>(tokens) * static_cast<double>(experts.top_k);
  const bool many = copies > static_cast<double>(experts.count);
  const double low = many ? 1 : 0.01, high = many ? std::max(0.8 * static_cast<double>(tokens), 1.0) : 2;
  const double rest = 1 - exponent;
  const bool even = rest < 1e-9 && rest > -1e-9;  // density 1/x
  const double from = even ? 0 : power(low, rest), to = even ? 0 : power(high, rest);
  std::vector<double> loads;
  double sum = 0;
  for (std::int64_t j = experts.count - 1; j >= 0; --j) {
    const double u = (static_cast<double>(j) + 0.5) / static_cast<double>(experts.count);
    loads.push_back(even ? low * power(high / low, u) : power(from + u * (to - from), 1 / rest));
    sum += loads.back();
  }
  for (double& load : loads) load *= copies / sum;
  level(loads, static_cast<double>(tokens));
  return loads;
}

std::int64_t ExpertRows::received(std::int64_t place) const {
  if (of_expert.empty()) return checked_mul(copies, sharing);
  std::int64_t sum = 0;
  for (const std::int64_t rows : grouped(place)) sum = checked_add(sum, rows);
  return sum;
}

std::int64_t ExpertRows::fullest() const {
  std::int64_t most = 0;
  for (std::int64_t place = 0; place < (of_expert.empty() ? 1 : ranks); ++place) most = std::max(most, received(place));
  return most;
}

std::vector<std::int64_t> ExpertRows::sent() const {
  std::vector<std::int64_t> rows;
  for (std::int64_t place = 0; place < (of_expert.empty() ? 0 : ranks); ++place)
    rows.push_back(received(place) / (ranks * sharing));
  return rows;
}

std::vector<std::int64_t> ExpertRows::grouped(std::int64_t place) const {
  std::vector<std::int64_t> rows;
  if (of_expert.empty()) return rows;
  for (std::int64_t e = place * experts; e < (place + 1) * experts; ++e)
    rows.push_back(checked_mul(of_expert[static_cast<std::size_t>(e)], checked_mul(ranks, sharing)));
  return rows;
}

ExpertRows expert_rows(const model::Experts& experts, std::int64_t layers, const Layout& layout,
                       std::int64_t shard_tokens, const Routing& routing, std::int64_t layer) {
  ExpertRows rows;
  rows.ranks = layout.expert, rows.sharing = layout.expert_tensor, rows.experts = experts.count / layout.expert;
  rows.copies = checked_mul(shard_tokens, experts.top_k);
  const std::int64_t most = capacity_of(routing, rows.copies, experts.count);
  if (routing.capacity > 0 && (routing.pad || routing.balanced())) {
    const std::int64_t all = checked_mul(most, experts.count);
    rows.copies = routing.pad ? all : std::min(all, rows.copies);
    return rows;
  }
  if (routing.balanced()) return rows;
  const std::int64_t tokens = checked_mul(shard_tokens, rows.ranks * rows.sharing);
  rows.of_expert = whole_parts(shares_of(experts, layers, tokens, routing, layer), rows.copies);
  if (routing.capacity == 0) return rows;
  for (std::int64_t& of : rows.of_expert) {
    rows.copies -= std::max<std::int64_t>(of - most, 0);
    of = std::min(of, most);
  }
  return rows;
}

double load_factor(const model::ModelSpec& spec, const Layout& layout, std::int64_t shard_tokens,
                   const Routing& routing) {
  double sum = 0;
  std::int64_t count = 0;
  for (std::int64_t layer = 0; layer < spec.layers; ++layer) {
    if (!spec.experts.in_layer(layer)) continue;
    const ExpertRows rows = expert_rows(spec.experts, spec.layers, layout, shard_tokens, routing, layer);
    const double mean = static_cast<double>(rows.copies) * static_cast<double>(rows.sharing);
    sum += mean > 0 ? static_cast<double>(rows.fullest()) / mean : 1;
    ++count;
  }
  return count == 0 ? 1 : sum / static_cast<double>(count);
}

double dropped_share(const model::ModelSpec& spec, const Layout& layout, std::int64_t shard_tokens,
                     const Routing& routing) {
  if (routing.capacity == 0) return 0;
  Routing kept = routing;
  kept.pad = false;
  double sum = 0, all = 0;
  for (std::int64_t layer = 0; layer < spec.layers; ++layer) {
    if (!spec.experts.in_layer(layer)) continue;
    sum += static_cast<double>(expert_rows(spec.experts, spec.layers, layout, shard_tokens, kept, layer).copies);
    all += static_cast<double>(checked_mul(shard_tokens, spec.experts.top_k));
  }
  return all == 0 ? 0 : 1 - sum / all;
}

std::vector<std::int32_t> alike_places(const model::ModelSpec& spec, const Layout& layout, std::int64_t shard_tokens,
                                       const Routing& routing) {
  std::vector<std::vector<std::int64_t>> seen(static_cast<std::size_t>(layout.expert));
  const std::int64_t last = spec.layers + spec.prediction_layers;
  for (std::int64_t layer = 0; layer <= last && !routing.alike(); ++layer) {
    const bool has = layer < spec.layers ? spec.experts.in_layer(layer) : layer > spec.layers;  // as the graph numbers
    if (!has) continue;
    const ExpertRows rows = expert_rows(spec.experts, spec.layers, layout, shard_tokens, routing, layer);
    for (std::size_t place = 0; place < seen.size(); ++place) {
      std::vector<std::int64_t> own = rows.grouped(static_cast<std::int64_t>(place));
      std::sort(own.begin(), own.end());
      seen[place].insert(seen[place].end(), own.begin(), own.end());
    }
  }
  std::map<std::vector<std::int64_t>, std::int32_t> first;
  std::vector<std::int32_t> alike;
  for (const auto& rows : seen)
    alike.push_back(first.emplace(rows, static_cast<std::int32_t>(alike.size())).first->second);
  return alike;
}

}  // namespace orrery::layout
