#include "orrery/sweep/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "orrery/core/memory.hpp"
#include "scenario/parts.hpp"
#include "sweep/bounds.hpp"
#include "sweep/evaluate.hpp"
#include "sweep/ranking.hpp"
#include "sweep/waves.hpp"

namespace orrery::sweep {
namespace {

// Reasons that differ in their numbers alone are one.
std::string without_numbers(std::string_view text) {
  std::string plain;
  for (const char c : text)
    if (c < '0' || c > '9')
      plain += c;
    else if (plain.empty() || plain.back() != '#')
      plain += '#';
  return plain;
}

class Tally {
 public:
  void add(const std::string& why) {
    const auto [at, fresh] = index_.try_emplace(without_numbers(why), reasons_.size());
    if (fresh) reasons_.push_back({why, 0});
    ++reasons_[at->second].points;
  }
  std::vector<Reason> give() {
    std::stable_sort(reasons_.begin(), reasons_.end(),
                     [](const Reason& a, const Reason& b) { return a.points > b.points; });
    return std::move(reasons_);
  }

 private:
  std::map<std::string, std::size_t> index_;
  std::vector<Reason> reasons_;
};

class Sweep {
 public:
  Sweep(Points points, const Space& space, Catalogue& catalogue, const Options& options)
      : waves_(std::move(points), options), catalogue_(catalogue), options_(options), ranking_(options.top) {
    outcome_.space = space;
    const Bytes limit = options.memory_limit.value_or(default_memory_limit());
    evaluate_.memory_limit = Bytes{limit.value / std::max<std::int64_t>(options.threads, 1)};
  }
  Outcome run();

 private:
  void play(Wave& wave);
  void play(const Group& group, Wave& wave) const;
  void play(Row& row, scenario::Scenario& scenario) const;
  bool prune(Row& row, const scenario::Scenario& scenario) const;
  void count(const Wave& wave);

  Waves waves_;
  Catalogue& catalogue_;
  const Options& options_;
  EvaluateOptions evaluate_;
  Ranking ranking_;
  Outcome outcome_;
  Tally refused_, pruned_, unwanted_;
};

// Against the last of the best at the end of the wave before, so that all that are shown are the best there are.
bool Sweep::prune(Row& row, const scenario::Scenario& s) const {
  const Bounds bounds = bounds_of(s);
  const auto capacity = static_cast<double>(s.gpu.usable_memory.value - s.gpu.context_memory.value);
  if (bounds.memory_bytes > capacity) {
    row.why = "parameters, gradients and optimizer alone are more than a GPU has";
    row.figures.headroom_bytes = static_cast<std::int64_t>(capacity - bounds.memory_bytes);
  } else if (const Row* last = ranking_.last()) {
    const Figures& f = last->figures;
    const double of_token = bounds.step_time_ps * static_cast<double>(s.layout.ranks()) /
                            static_cast<double>(s.training.global_batch * s.training.sequence_length);
    const double of_last =
        static_cast<double>(f.step_time_ps) * static_cast<double>(f.gpus) / static_cast<double>(f.tokens);
    if (of_token > of_last) row.why = "its matrix products alone take longer than the best layouts";
  }
  if (row.why.empty()) return false;
  row.status = Status::pruned;
  return true;
}

void Sweep::play(Row& row, scenario::Scenario& s) const {
  waves_.points().set(waves_.points().digits(row.point), 0, s);
  if (options_.prune && prune(row, s)) return;
  Evaluation result = evaluate(s, catalogue_, evaluate_);
  row.status = result.status;
  row.figures = result.figures;
  row.why = std::move(result.why);
  if (row.status == Status::refused) return;
  for (const Condition& condition : options_.where)
    if (!condition.of_input() && !condition.holds(row.figures)) {
      row.status = Status::unwanted;
      row.why = "not " + condition.text();
      return;
    }
}

// The first that is not refused stands for all behind it.
void Sweep::play(const Group& group, Wave& wave) const {
  scenario::Scenario s = **group.base;
  std::size_t i = 0;
  for (; i < group.rows.size(); ++i) {
    play(wave.rows[group.rows[i]], s);
    if (wave.rows[group.rows[i]].status != Status::refused) break;
  }
  for (++i; i < group.rows.size(); ++i) wave.rows[group.rows[i]].status = Status::duplicate;
}

void Sweep::play(Wave& wave) {
  std::atomic<std::size_t> next{0};
  std::vector<std::exception_ptr> broken(std::max(options_.threads, 1u));
  const auto work = [&](std::size_t thread) {
    try {
      for (std::size_t g = next++; g < wave.groups.size(); g = next++) play(wave.groups[g], wave);
    } catch (...) {
      broken[thread] = std::current_exception();
      next = wave.groups.size();
    }
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < broken.size() && i < wave.groups.size(); ++i) others.emplace_back(work, i);
  work(0);
  for (std::thread& other : others) other.join();
  for (const std::exception_ptr& error : broken)
    if (error) std::rethrow_exception(error);
  for (const Group& group : wave.groups)
    if (std::any_of(group.rows.begin(), group.rows.end(),
                    [&](std::size_t row) { return wave.rows[row].status != Status::refused; }))
      waves_.played(group.key);
}

void Sweep::count(const Wave& wave) {
  Counts& c = outcome_.counts;
  for (const Row& row : wave.rows) {
    ++c.space;
    if (row.status == Status::refused) ++c.refused, refused_.add(row.why);
    if (row.status == Status::duplicate) ++c.duplicate;
    if (row.status == Status::pruned) ++c.pruned, pruned_.add(row.why);
    if (row.status <= Status::unwanted) ++c.evaluated;
    if (row.status == Status::ok) ++c.fit;
    if (row.status == Status::unwanted) unwanted_.add(row.why);
    ranking_.add(row);
    if (options_.row) options_.row(row);
  }
}

Outcome Sweep::run() {
  Wave wave;
  while (waves_.next(wave)) {
    play(wave);
    count(wave);
    if (options_.progress) options_.progress(waves_.taken(), waves_.total());
  }
  outcome_.refused = refused_.give();
  outcome_.pruned = pruned_.give();
  outcome_.unwanted = unwanted_.give();
  ranking_.give(outcome_);
  return std::move(outcome_);
}

Diagnostics check_size(const Space& space, const Options& options) {
  Diagnostic d;
  d.place.file = "--space";
  if (space.dimensions.empty()) {
    d.message = "has no dimension";
    d.help = "such as --space 'tensor=auto; pipeline=auto'";
    return {d};
  }
  if (space.points() <= kMostPoints || (options.sample > 0 && space.points() < 9e18)) return {};
  d.message = fmt::format("holds {:.3g} points, more than {:.0g} cannot be gone over", space.points(), kMostPoints);
  d.help = "--sample 100000 takes so many of them at random; or give fewer values";
  return {d};
}

}  // namespace

Result<Outcome> sweep(const YamlTree& scenario, const Space& space, Catalogue& catalogue, const Options& options) {
  if (Diagnostics large = check_size(space, options); !large.empty()) return large;
  if (const auto base = scenario::read_parts(scenario, catalogue); !base.ok()) return base.errors();
  Result<Points> points = Points::make(space, scenario, catalogue);
  if (!points.ok()) return points.errors();
  return Sweep(std::move(points).value(), space, catalogue, options).run();
}

std::vector<std::string> values_of(std::int64_t point, const Space& space) {
  std::vector<std::string> values(space.dimensions.size());
  for (std::size_t d = values.size(); d-- > 0;) {
    const auto& all = space.dimensions[d].values;
    values[d] = all[static_cast<std::size_t>(point % static_cast<std::int64_t>(all.size()))];
    point /= static_cast<std::int64_t>(all.size());
  }
  return values;
}

std::vector<std::string> assignments(const Row& row, const Space& space, const YamlTree& scenario,
                                     Catalogue& catalogue) {
  const Result<Points> points = Points::make(space, scenario, catalogue);
  check(points.ok(), "a space that was swept cannot be read");
  return points->assignments(points->digits(row.point), row.data);
}

}  // namespace orrery::sweep
