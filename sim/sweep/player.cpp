#include "sweep/player.hpp"

#include <algorithm>
#include <cmath>

#include "core/parallel.hpp"
#include "orrery/core/memory.hpp"
#include "orrery/sweep/store.hpp"
#include "sweep/bounds.hpp"

namespace orrery::sweep {

struct Player::Work {
  Wave& wave;
  const Row* last;
  std::vector<std::optional<Stored>> known;  // [row] in the store
  std::vector<std::optional<Stored>> fresh;  // [row] for the store
  bool keeps = false;
};

Player::Player(const Points& points, Catalogue& catalogue, const Options& options, Team* team)
    : points_(points), options_(options), team_(team) {
  const unsigned threads = options.threads > 0 ? options.threads : processors();
  const Bytes limit = options.memory_limit.value_or(default_memory_limit());
  for (unsigned thread = 0; thread < threads; ++thread)
    evaluators_.emplace_back(
        catalogue, EvaluateOptions{.memory_limit = Bytes{limit.value / threads}, .reserved = options.reserved});
}

namespace {

// The step time, in picoseconds, with which it would be as good as another: the same time of a GPU for a token.
double slowest(const scenario::Scenario& s, const Row& as) {
  const Figures& f = as.figures;
  return static_cast<double>(f.step_time_ps) * static_cast<double>(f.gpus) / static_cast<double>(f.tokens) *
         static_cast<double>(s.training.global_batch * s.tokens_of_sequence()) / static_cast<double>(s.layout.ranks());
}

}  // namespace

// Against the last of the best at the end of the wave before, so that all that are shown are the best there are.
bool Player::prune(Row& row, const scenario::Scenario& s, const Row* last) const {
  const Bounds bounds = bounds_of(s);
  std::int64_t most = (s.gpu.usable_memory - s.outside_allocator(s.gpu)).value;
  for (const program::GpuKind& pool : s.pools)
    most = std::max(most, (pool.gpu.usable_memory - s.outside_allocator(pool.gpu)).value);
  const auto capacity = static_cast<double>(most);
  if (bounds.memory_bytes > capacity) {
    row.why = "parameters, gradients and optimizer alone are more than a GPU has";
    row.figures.headroom_bytes = static_cast<std::int64_t>(capacity - bounds.memory_bytes);
  } else if (last) {
    const double as_good = slowest(s, *last);
    if (bounds.step_time_ps > as_good) row.why = "its matrix products alone take longer than the best layouts";
    if (options_.search && options_.search->at_least_ps &&
        static_cast<double>(options_.search->at_least_ps(row.point)) >= as_good)
      row.why = kSlower;
  }
  if (row.why.empty()) return false;
  row.status = Status::pruned;
  return true;
}

void Player::judge(Row& row) const {
  if (row.status == Status::refused) return;
  for (const Condition& condition : options_.where)
    if (!condition.of_input() && !condition.holds(row.figures)) {
      row.status = Status::unwanted;
      row.why = "not " + condition.text();
      return;
    }
}

void Player::play(std::size_t index, scenario::Scenario& s, Work& work, Evaluator& evaluator) const {
  Row& row = work.wave.rows[index];
  points_.set(points_.digits(row.point), 0, s);
  if (options_.prune && prune(row, s, work.last)) return;
  const auto take = [&](Status status, const Figures& figures, const std::string& why) {
    row.status = status;
    row.figures = figures;
    row.why = why;
  };
  if (const std::optional<Stored>& known = work.known[index]) {
    take(known->status, known->figures, known->why);
  } else {
    const bool hurried = options_.search && work.last != nullptr;
    const Evaluation result = evaluator.evaluate(
        s, hurried ? std::optional(Time{static_cast<std::int64_t>(std::ceil(slowest(s, *work.last)))}) : std::nullopt);
    take(result.status, result.figures, result.why);
    if (work.keeps) work.fresh[index] = Stored{row.point, row.status, row.figures, row.why};
  }
  judge(row);
}

// The first that is not refused stands for all behind it.
void Player::play(Group& group, Work& work, Evaluator& evaluator) const {
  scenario::Scenario s = **group.base;
  std::size_t i = 0;
  group.refused = true;
  for (; i < group.rows.size() && group.refused; ++i) {
    play(group.rows[i], s, work, evaluator);
    group.refused = work.wave.rows[group.rows[i]].status == Status::refused;
  }
  for (; i < group.rows.size(); ++i) work.wave.rows[group.rows[i]].status = Status::duplicate;
}

Diagnostics Player::look_up(const Wave& wave, Work& work) const {
  work.known.resize(wave.rows.size());
  work.fresh.resize(wave.rows.size());
  if (!options_.store) return {};
  for (const Group& group : wave.groups)
    for (const std::size_t row : group.rows) {
      Result<std::optional<Stored>> found = options_.store->find(wave.rows[row].point);
      if (!found.ok()) return found.errors();
      work.known[row] = std::move(found).value();
      if (!work.known[row] || work.known[row]->status != Status::refused) break;
    }
  return {};
}

Diagnostics Player::keep(const Work& work) const {
  if (!options_.store) return {};
  std::vector<Stored> results;
  for (const std::optional<Stored>& fresh : work.fresh)
    if (fresh) results.push_back(*fresh);
  return options_.store->add(results);
}

// What another process played.
void Player::take(const Share& share, Work& work) const {
  Group& group = work.wave.groups[share.group];
  group.refused = share.refused;
  for (std::size_t i = 0; i < group.rows.size(); ++i) {
    Row& row = work.wave.rows[group.rows[i]];
    row.status = share.rows[i].status;
    row.figures = share.rows[i].figures;
    row.why = share.rows[i].why;
    if (share.played[i] == 0) continue;
    if (work.keeps) work.fresh[group.rows[i]] = Stored{row.point, row.status, row.figures, row.why};
    judge(row);
  }
}

// Groups of which the store knows something are told here; the others go to whoever is free.
Diagnostics Player::share(Work& work) {
  std::vector<std::size_t> open;
  for (std::size_t g = 0; g < work.wave.groups.size(); ++g) {
    Group& group = work.wave.groups[g];
    if (work.known[group.rows.front()])
      play(group, work, evaluators_.front());
    else
      open.push_back(g);
  }
  const auto here = [&](std::size_t next) {
    const std::size_t count = std::min(evaluators_.size(), open.size() - next);
    for_each(count, threads(), [&](std::size_t i, std::size_t thread) {
      play(work.wave.groups[open[next + i]], work, evaluators_[thread]);
    });
    return count;
  };
  return team_->play(work.wave, work.last, open, here, [&](const Share& share) { take(share, work); });
}

void Player::play_all(Work& work) {
  for_each(work.wave.groups.size(), threads(),
           [&](std::size_t group, std::size_t thread) { play(work.wave.groups[group], work, evaluators_[thread]); });
}

Diagnostics Player::play(Wave& wave, const Row* last) {
  Work work{wave, last, {}, {}, options_.store != nullptr};
  if (Diagnostics errors = look_up(wave, work); !errors.empty()) return errors;
  if (team_) {
    if (Diagnostics errors = share(work); !errors.empty()) return errors;
  } else {
    play_all(work);
  }
  return keep(work);
}

std::vector<char> Player::play_for_another(Wave& wave, const Row* last) {
  Work work{wave, last, {}, {}, true};
  work.known.resize(wave.rows.size());
  work.fresh.resize(wave.rows.size());
  play_all(work);
  std::vector<char> played;
  for (const auto& fresh : work.fresh) played.push_back(fresh.has_value() ? 1 : 0);
  return played;
}

scenario::Scenario Player::scenario_of(const Row& row) const {
  const Digits digits = points_.digits(row.point);
  Points points = points_;
  scenario::Scenario s = **points.read(digits);
  points_.set(digits, 0, s);
  return s;
}

}  // namespace orrery::sweep
