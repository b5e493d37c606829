#include <algorithm>
#include <cmath>
#include <map>

#include "kinds.hpp"

namespace orrery::validation {
namespace {

struct Point {
  double measured, predicted;
  const Row* row;
};

double quantile(const std::vector<double>& sorted, std::size_t part, std::size_t of) {  // nearest rank
  return sorted[(sorted.size() * part + of - 1) / of - 1];
}

struct Pairs {
  std::int64_t all = 0, in_order = 0;
  std::optional<double> share() const {
    if (all == 0) return {};
    return static_cast<double>(in_order) / static_cast<double>(all);
  }
};

// Pairs of rows of equal key whose measured values differ by more than `apart` (of the larger).
Pairs pairs_in_order(const std::vector<Point>& points, std::string Row::*key, std::string Row::*differs, double apart) {
  std::map<std::string, std::vector<const Point*>> choices;
  for (const Point& p : points)
    if (!(p.row->*key).empty()) choices[p.row->*key].push_back(&p);
  Pairs pairs;
  for (const auto& [text, of] : choices)
    for (std::size_t i = 0; i < of.size(); ++i)
      for (std::size_t j = 0; j < i; ++j) {
        if (differs != nullptr && of[i]->row->*differs == of[j]->row->*differs) continue;
        const double difference = of[i]->measured - of[j]->measured;
        if (std::abs(difference) <= apart * std::max(of[i]->measured, of[j]->measured)) continue;
        ++pairs.all;
        if (difference * (of[i]->predicted - of[j]->predicted) > 0) ++pairs.in_order;
      }
  return pairs;
}

Statistics statistics_of(const std::vector<Point>& points) {
  Statistics s;
  s.rows = static_cast<std::int64_t>(points.size());
  if (points.empty()) return s;
  std::vector<double> errors;
  for (const Point& p : points) {
    const double error = p.predicted / p.measured - 1;
    s.bias += error;
    errors.push_back(std::abs(error));
  }
  std::sort(errors.begin(), errors.end());
  for (const double error : errors) s.mape += error;
  const auto n = static_cast<double>(points.size());
  s.mape /= n;
  s.bias /= n;
  const std::size_t half = errors.size() / 2;
  s.median_abs_error = errors.size() % 2 == 1 ? errors[half] : (errors[half - 1] + errors[half]) / 2;
  s.p90_abs_error = quantile(errors, 9, 10);
  s.concordance = pairs_in_order(points, &Row::alternatives, nullptr, 0.05).share();
  const Pairs schedules = pairs_in_order(points, &Row::same_but_schedule, &Row::schedule, 0.02);
  s.schedule_concordance = schedules.share();
  s.schedule_pairs = schedules.all;
  return s;
}

// Of one figure of some rows; `subset`: the narrower statistics.
Statistics of_figure(const std::vector<const Row*>& rows, std::size_t figure, bool subset) {
  std::vector<Point> points;
  for (const Row* row : rows) {
    if (!row->counts || (subset && !row->in_subset) || figure >= row->figures.size()) continue;
    const Figure& f = row->figures[figure];
    const double* measured = std::get_if<double>(&f.reference);
    const double* predicted = std::get_if<double>(&f.predicted);
    if (!f.exact && measured != nullptr && predicted != nullptr && *measured > 0)
      points.push_back({*measured, *predicted, row});
  }
  return statistics_of(points);
}

}  // namespace

std::vector<Group> groups_of(const std::vector<Row>& rows) {
  std::vector<Group> groups{{"all", "all", {}}};
  std::vector<std::vector<const Row*>> members(1);
  std::map<std::pair<std::string, std::string>, std::size_t> known;
  for (const Row& row : rows) {
    members[0].push_back(&row);
    for (const auto& [by, name] : row.groups) {
      const auto [at, fresh] = known.try_emplace({by, name}, groups.size());
      if (fresh) {
        groups.push_back({by, name, {}});
        members.emplace_back();
      }
      members[at->second].push_back(&row);
    }
  }
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const std::vector<Figure>& figures = members[g].empty() ? std::vector<Figure>() : members[g].front()->figures;
    for (std::size_t f = 0; f < figures.size(); ++f)
      if (!figures[f].exact)
        groups[g].figures.push_back({figures[f].name, of_figure(members[g], f, false), of_figure(members[g], f, true)});
  }
  return groups;
}

}  // namespace orrery::validation
