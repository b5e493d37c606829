#include "orrery/sweep/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "scenario/parts.hpp"
#include "sweep/again.hpp"
#include "sweep/player.hpp"
#include "sweep/ranking.hpp"
#include "sweep/remedies.hpp"
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
  Sweep(Points points, const YamlTree& scenario, const Space& space, Catalogue& catalogue, const Options& options,
        Team* team)
      : scenario_(scenario),
        catalogue_(catalogue),
        options_(options),
        waves_(std::move(points), options),
        player_(waves_.points(), catalogue, options, team),
        ranking_(options.top),
        chosen_(options.verify, options.seed) {
    outcome_.space = space;
  }
  Result<Outcome> run();

 private:
  void count(const Wave& wave);
  const Row* to_beat() const {
    const Row* last = ranking_.last();
    return last == nullptr && options_.search && options_.search->best ? &*options_.search->best : last;
  }

  const YamlTree& scenario_;
  Catalogue& catalogue_;
  const Options& options_;
  Waves waves_;
  Player player_;
  Ranking ranking_;
  Chosen chosen_;
  Outcome outcome_;
  Tally refused_, pruned_, unwanted_;
  std::int64_t taken_ = 0;  // points of the waves before
};

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
    if (row.status <= Status::unwanted) chosen_.add(row);
    if (options_.row) options_.row(row);
  }
}

Result<Outcome> Sweep::run() {
  Wave wave;
  while (waves_.next(wave)) {
    const std::int64_t points = waves_.taken(), before = std::exchange(taken_, points);
    const auto told = [&](std::span<const std::size_t> groups, std::size_t done) {
      for (const std::size_t group : groups)
        for (const std::size_t row : wave.groups[group].rows) ranking_.add(wave.rows[row]);
      const double part = static_cast<double>(done) / static_cast<double>(wave.groups.size());
      if (options_.progress)
        options_.progress(before + static_cast<std::int64_t>(part * static_cast<double>(points - before)),
                          waves_.total());
    };
    if (Diagnostics errors = player_.play(wave, {told, [&] { return to_beat(); }}); !errors.empty()) return errors;
    for (const Group& group : wave.groups)
      if (!group.refused) waves_.played(group.key);
    count(wave);
    if (options_.progress) options_.progress(waves_.taken(), waves_.total());
  }
  outcome_.refused = refused_.give();
  outcome_.pruned = pruned_.give();
  outcome_.unwanted = unwanted_.give();
  ranking_.give(outcome_);
  for (const Row& row : chosen_.rows) verify(row, outcome_.space, scenario_, catalogue_, options_, outcome_.verified);
  if (options_.sensitivity && !outcome_.best.empty())
    outcome_.sensitivity = sensitivity_of(player_.scenario_of(outcome_.best.front()), catalogue_, options_);
  const std::optional<Row>& unfit = outcome_.fastest_that_does_not_fit;
  if (options_.sensitivity && unfit && (outcome_.best.empty() || better(*unfit, outcome_.best.front())))
    outcome_.remedies = remedies_of(player_.scenario_of(*unfit), catalogue_, options_);
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
  std::optional<Team> team;  // whatever happens, they are sent home
  if (options.peers) team.emplace(*options.peers);
  if (Diagnostics large = check_size(space, options); !large.empty()) return large;
  if (const auto base = scenario::read_parts(scenario, catalogue); !base.ok()) return base.errors();
  Result<Points> points = Points::make(space, scenario, catalogue);
  if (!points.ok()) return points.errors();
  return Sweep(std::move(points).value(), scenario, space, catalogue, options, team ? &*team : nullptr).run();
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
