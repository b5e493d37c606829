#include "sweep/player.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <unordered_map>

#include "core/parallel.hpp"
#include "orrery/core/memory.hpp"
#include "orrery/sweep/store.hpp"
#include "sweep/bounds.hpp"

namespace orrery::sweep {

struct Player::Work {
  Wave& wave;
  const Row* last;
  std::span<const std::size_t> groups;
  // [row] in the store; [row] of `groups` for the store, where there is one.
  std::unordered_map<std::size_t, Stored> known = {};
  std::unordered_map<std::size_t, std::optional<Stored>> fresh = {};

  const Stored* stored(std::size_t row) const {
    const auto at = known.find(row);
    return at == known.end() ? nullptr : &at->second;
  }
  // Room for each, so that threads add none.
  void expect_fresh() {
    for (const std::size_t group : groups)
      for (const std::size_t row : wave.groups[group].rows) fresh.emplace(row, std::nullopt);
  }
  void note(std::size_t index) {
    const Row& row = wave.rows[index];
    if (const auto at = fresh.find(index); at != fresh.end())
      at->second = Stored{row.point, row.status, row.figures, row.why};
  }
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

// What lacks less than a quarter of a GPU is played: it may be made to fit.
scenario::Uninteresting Player::asked_about(const scenario::Scenario& s, const Row* last) const {
  scenario::Uninteresting what;
  if (!options_.prune) return what;
  what.memory = Bytes{static_cast<std::int64_t>(1.25 * tensor_memory(s))};
  if (last == nullptr) return what;
  const double as_good = std::ceil(slowest(s, *last));
  if (!(as_good < 9.2e18)) return what;
  what.played = Time{static_cast<std::int64_t>(as_good)};
  if (options_.search) what.judged = what.played;
  return what;
}

// Against the last of the best of the parts before, so that all that are shown are the best there are.
bool Player::prune(Row& row, const scenario::Scenario& s, const Row* last) const {
  const Bounds bounds = bounds_of(s);
  const double capacity = tensor_memory(s);
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
  if (row.status != Status::ok && row.status != Status::does_not_fit) return;
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
  if (const Stored* known = work.stored(index)) {
    take(known->status, known->figures, known->why);
  } else {
    const Evaluation result = evaluator.evaluate(s, asked_about(s, work.last));
    take(result.status, result.figures, result.why);
    if (result.status != Status::pruned) work.note(index);
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

// What cannot be the best for want of memory comes last, and that of which nothing is known: most of it is refused.
void Player::sort_by_bound(const Wave& wave, std::vector<std::size_t>& groups) const {
  struct Promise {
    bool none;
    int time;       // in steps of an eighth to a quarter
    double memory;  // of the state alone: of those of about one time the ones that fit are wanted first
    auto operator<=>(const Promise&) const = default;
  };
  std::vector<Promise> promise(wave.groups.size());
  for (std::size_t g = 0; g < wave.groups.size(); ++g) {
    scenario::Scenario s = **wave.groups[g].base;
    points_.set(points_.digits(wave.rows[wave.groups[g].rows.front()].point), 0, s);
    const Bounds of = bounds_of(s);
    const double work = static_cast<double>(s.training.global_batch * s.tokens_of_sequence());
    const double time = of.step_time_ps * static_cast<double>(s.layout.ranks()) / work;
    const bool none = of.memory_bytes > tensor_memory(s) || !(time > 0);
    int exponent = 0;
    const double mantissa = std::frexp(time, &exponent);  // exact, [1/2, 1)
    promise[g] = {none, none ? 0 : 4 * exponent + static_cast<int>(8 * mantissa), of.memory_bytes};
  }
  std::ranges::stable_sort(groups, {}, [&](std::size_t g) { return promise[g]; });
}

// Where layouts are pruned the most promising are first, few at once as long as little is known of the best. Those that
// are played at once go by their kin: a wave is a good part of the space, or all of it.
Player::Order Player::order_of(const Wave& wave) const {
  constexpr std::size_t kFirst = 8;
  Order order{std::vector<std::size_t>(wave.groups.size()), {}};
  std::iota(order.groups.begin(), order.groups.end(), std::size_t{0});
  const bool by_bound = options_.prune && !options_.search;
  if (by_bound) sort_by_bound(wave, order.groups);
  std::vector<std::int64_t> kin;
  for (const Group& group : wave.groups) kin.push_back(points_.kin(wave.rows[group.rows.front()].point));
  const auto sort = [&](std::span<std::size_t> groups) {
    std::ranges::stable_sort(groups, {}, [&](std::size_t g) { return kin[g]; });
  };
  if (!by_bound) sort(order.groups);
  for (std::size_t begin = 0; begin < order.groups.size(); begin = order.ends.back()) {
    const std::size_t part = std::min(by_bound ? std::max(kFirst, begin / 4) : options_.wave, options_.wave);
    order.ends.push_back(std::min(begin + part, order.groups.size()));
    if (by_bound) sort(std::span(order.groups).subspan(begin, order.ends.back() - begin));
  }
  return order;
}

Diagnostics Player::look_up(Work& work) const {
  if (!options_.store) return {};
  for (const std::size_t group : work.groups)
    for (const std::size_t row : work.wave.groups[group].rows) {
      Result<std::optional<Stored>> found = options_.store->find(work.wave.rows[row].point);
      if (!found.ok()) return found.errors();
      if (!*found) break;
      const Stored& known = work.known.emplace(row, std::move(**found)).first->second;
      if (known.status != Status::refused) break;
    }
  work.expect_fresh();
  return {};
}

Diagnostics Player::keep(const Work& work) const {
  if (!options_.store) return {};
  std::vector<Stored> results;
  for (const std::size_t group : work.groups)
    for (const std::size_t row : work.wave.groups[group].rows)
      if (const std::optional<Stored>& fresh = work.fresh.at(row)) results.push_back(*fresh);
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
    work.note(group.rows[i]);
    judge(row);
  }
}

// Groups of which the store knows something are told here; the others go to whoever is free.
Diagnostics Player::share(Work& work) {
  std::vector<std::size_t> open;
  for (const std::size_t g : work.groups) {
    Group& group = work.wave.groups[g];
    if (work.stored(group.rows.front()))
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
  for_each(work.groups.size(), threads(), [&](std::size_t i, std::size_t thread) {
    play(work.wave.groups[work.groups[i]], work, evaluators_[thread]);
  });
}

Diagnostics Player::play(Wave& wave, const Watch& watch) {
  const Order order = order_of(wave);
  std::size_t done = 0;
  for (const std::size_t end : order.ends) {
    Work work{wave, watch.to_beat(), std::span(order.groups).subspan(done, end - done)};
    if (Diagnostics errors = look_up(work); !errors.empty()) return errors;
    if (team_) {
      if (Diagnostics errors = share(work); !errors.empty()) return errors;
    } else {
      play_all(work);
    }
    if (Diagnostics errors = keep(work); !errors.empty()) return errors;
    watch.told(work.groups, done = end);
  }
  return {};
}

std::vector<char> Player::play_for_another(Wave& wave, const Row* last) {
  std::vector<std::size_t> order(wave.groups.size());  // as they come: the first process has ordered them
  std::iota(order.begin(), order.end(), std::size_t{0});
  Work work{wave, last, order};
  work.expect_fresh();
  play_all(work);
  std::vector<char> played;
  for (std::size_t row = 0; row < wave.rows.size(); ++row) played.push_back(work.fresh.at(row).has_value() ? 1 : 0);
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
