#include "sweep/waves.hpp"

#include <algorithm>
#include <set>

#include "orrery/core/hash.hpp"
#include "orrery/core/random.hpp"
#include "sweep/evaluate.hpp"

namespace orrery::sweep {
namespace {

// Most points of one wave. Fixed: what is pruned must not depend on the number of threads.
constexpr std::size_t kRows = 131'072;

std::vector<std::int64_t> draw(std::int64_t wanted, std::int64_t of, std::uint64_t seed) {
  std::set<std::int64_t> drawn;
  Random random(seed);
  while (static_cast<std::int64_t>(drawn.size()) < wanted)
    drawn.insert(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(of))));
  return {drawn.begin(), drawn.end()};
}

}  // namespace

Waves::Waves(Points points, const Options& options) : points_(std::move(points)), options_(options) {
  for (std::size_t d = 0; d < points_.dimensions(); ++d) idle_.push_back(scenario::idle_when(points_.key(d).path));
  total_ = points_.count();
  if (options.search && !options.search->only.empty()) {
    sample_ = options.search->only;
    total_ = static_cast<std::int64_t>(sample_.size());
  } else if (options.sample > 0 && options.sample < total_) {
    sample_ = draw(options.sample, total_, options.seed);
    total_ = options.sample;
  }
  digits_ = points_.digits(0);
}

// What no layout may be, told in a few operations: resolve() says the same, with its place.
std::string Waves::contradiction() const {
  const scenario::Scenario& s = scenario_;
  std::int64_t product = 1;
  for (const layout::DimensionFacts& d : layout::kDimensionList)
    if (!d.folded) product *= s.layout.*d.degree;
  if (product != s.gpus()) return "layout: the degrees do not multiply to the GPUs of the run";
  if (s.layout.batch_split == layout::BatchSplit::even &&
      s.training.global_batch % (s.training.micro_batch * s.layout.data) != 0)
    return "training.global_batch: does not divide into micro-batches on the data-parallel ranks";
  for (const Condition& condition : options_.where)
    if (condition.of_input() && !condition.holds(s)) return "not " + condition.text();
  return {};
}

// A key without effect counts as if it had its first value.
FoldKey Waves::fold_key(const Digits& digits, std::int64_t reading) const {
  Hash low, high;
  high.add(std::uint64_t{0x5bd1e995});
  const auto add = [&](std::int64_t word) { low.add(word), high.add(word); };
  add(reading);
  for (std::size_t d = 0; d < digits.size(); ++d) {
    const bool idle = std::any_of(idle_[d].begin(), idle_[d].end(), [&](auto holds) { return holds(scenario_); });
    add(idle ? -1 : digits[d]);
  }
  return {low.value(), high.value()};
}

void Waves::take(const Digits& digits, std::size_t from, std::int64_t point, Wave& wave) {
  const std::int64_t reading = points_.reading(digits);
  if (reading != reading_) {
    base_ = points_.read(digits);
    reading_ = reading;
    if (base_->ok()) scenario_ = **base_;
    from = 0;
  }
  FoldKey key;
  if (base_->ok()) {
    points_.set(digits, from, scenario_);
    key = fold_key(digits, reading);
  } else {
    key.low = mix64(static_cast<std::uint64_t>(point));
  }
  if (key.low % static_cast<std::uint64_t>(options_.shards) != static_cast<std::uint64_t>(options_.shard - 1)) return;
  ++taken_;
  Row row;
  row.point = point;
  row.data = base_->ok() ? scenario_.layout.data : 0;
  row.why = base_->ok() ? contradiction() : reason(base_->errors());
  if (row.why.empty() && seen_.contains(key)) row.status = Status::duplicate;
  if (row.why.empty() && row.status != Status::duplicate) {
    const auto [group, fresh] = in_wave_.try_emplace(key, wave.groups.size());
    if (fresh) wave.groups.push_back({key, base_, {}, false});
    wave.groups[group->second].rows.push_back(wave.rows.size());
  }
  wave.rows.push_back(std::move(row));
}

bool Waves::next(Wave& wave) {
  wave.rows.clear();
  wave.groups.clear();
  in_wave_.clear();
  const std::size_t groups = options_.prune && options_.search ? options_.wave : kRows;
  while (at_ < total_ && wave.groups.size() < groups && wave.rows.size() < kRows) {
    if (sample_.empty()) {
      take(digits_, from_, at_, wave);
      from_ = points_.advance(digits_);
    } else {
      const std::int64_t point = sample_[static_cast<std::size_t>(at_)];
      take(points_.digits(point), 0, point, wave);
    }
    ++at_;
  }
  return !wave.rows.empty() || at_ < total_;
}

}  // namespace orrery::sweep
