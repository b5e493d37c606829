#include "sweep/points.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "scenario/parts.hpp"
#include "sweep/values.hpp"

namespace orrery::sweep {
namespace {

bool is_degree(const std::string& key) {
  return std::any_of(layout::kDimensionList.begin(), layout::kDimensionList.end(),
                     [&](const auto& d) { return key == fmt::format("layout.{}", d.name); });
}

// What only orders passes, counts them, or goes beside them: far less to make than the passes.
bool is_read_by_passes(std::string_view key) {
  constexpr std::string_view kBeside[] = {
      "training.global_batch", "training.overlap_data", "layout.data", "layout.zero",
      "schedule.type",         "stack.communication.",  "cluster.",    "network.",
      "reliability."};
  return std::ranges::none_of(kBeside, [&](std::string_view beside) {
    return beside.ends_with('.') ? key.starts_with(beside) : key == beside;
  });
}

bool says_schedule(const YamlTree& tree) {
  const NodeId node = tree.find(tree.root(), "schedule");
  if (node == kNoNode) return false;
  return tree[node].kind == NodeKind::scalar || tree.find(node, "type") != kNoNode ||
         tree.find(node, "file") != kNoNode;
}

}  // namespace

Result<Points> Points::make(const Space& space, const YamlTree& tree, Catalogue& catalogue) {
  Points points;
  points.tree_ = std::make_shared<YamlTree>(tree);
  points.catalogue_ = &catalogue;
  bool degrees = false, data = false, schedule = says_schedule(tree);
  for (const Dimension& d : space.dimensions) {
    Result<Key> key = find_key(d.key, kSaidIn);
    if (!key.ok()) return key.errors();
    Axis axis{std::move(key).value(), false, true, d.values, {}};
    axis.direct = axis.key.direct();
    axis.in_passes = is_read_by_passes(axis.key.path);
    for (const std::string& text : d.values) {
      if (!axis.direct) break;
      Result<FieldValue> value = value_of(axis.key, text);
      if (!value.ok()) return value.errors();
      axis.values.push_back(std::move(value).value());
    }
    points.count_ = checked_mul(points.count_, static_cast<std::int64_t>(d.values.size()));
    data = data || axis.key.path == "layout.data";
    schedule = schedule || axis.key.path == "schedule.type" || axis.key.path == "schedule.file";
    degrees = degrees || is_degree(axis.key.path) || axis.key.section == Section::cluster;
    points.axes_.push_back(std::move(axis));
  }
  points.default_schedule_ = !schedule;
  points.data_said_ = tree.find(tree.find(tree.root(), "layout"), "data") != kNoNode;
  points.data_follows_ = !data && (degrees || !points.data_said_);
  return points;
}

Digits Points::digits(std::int64_t point) const {
  Digits digits(axes_.size());
  for (std::size_t d = axes_.size(); d-- > 0;) {
    const auto values = static_cast<std::int64_t>(axes_[d].texts.size());
    digits[d] = static_cast<std::int32_t>(point % values);
    point /= values;
  }
  return digits;
}

std::int64_t Points::kin(std::int64_t point) const {
  const Digits of = digits(point);
  std::int64_t number = 0;
  for (const bool in_passes : {true, false})
    for (std::size_t d = 0; d < axes_.size(); ++d)
      if (axes_[d].in_passes == in_passes) number = number * static_cast<std::int64_t>(axes_[d].texts.size()) + of[d];
  return number;
}

std::size_t Points::advance(Digits& digits) const {
  for (std::size_t d = axes_.size(); d-- > 0;) {
    if (++digits[d] < static_cast<std::int32_t>(axes_[d].texts.size())) return d;
    digits[d] = 0;
  }
  return 0;
}

std::int64_t Points::reading(const Digits& digits) const {
  std::int64_t number = 0;
  for (std::size_t d = 0; d < axes_.size(); ++d)
    if (!axes_[d].direct) number = number * static_cast<std::int64_t>(axes_[d].texts.size()) + digits[d];
  return number;
}

std::shared_ptr<const Result<scenario::Scenario>> Points::read(const Digits& digits) {
  const std::int64_t number = reading(digits);
  if (number == last_reading_) return last_;
  YamlTree tree = *tree_;
  Diagnostics errors;
  for (std::size_t d = 0; d < axes_.size() && errors.empty(); ++d)
    if (!axes_[d].direct) errors = tree.set(axes_[d].key.path + "=" + text(d, digits[d]));
  last_ = std::make_shared<const Result<scenario::Scenario>>(errors.empty() ? scenario::read_parts(tree, *catalogue_)
                                                                            : Result<scenario::Scenario>(errors));
  last_reading_ = number;
  return last_;
}

void Points::set(const Digits& digits, std::size_t from, scenario::Scenario& s) const {
  for (std::size_t d = from; d < axes_.size(); ++d)
    if (axes_[d].direct) store(axes_[d].key, axes_[d].values[static_cast<std::size_t>(digits[d])], s);
  if (default_schedule_) s.schedule.type = scenario::default_schedule(s);
  if (!data_follows_) return;
  const std::int64_t gpus = s.gpus();
  std::int64_t others = 1;
  for (const layout::DimensionFacts& d : layout::kDimensionList)
    if (d.dimension != layout::Dimension::data && !d.folded) others *= s.layout.*d.degree;
  s.layout.data = others > 0 && gpus % others == 0 ? static_cast<int>(gpus / others) : 0;
}

std::vector<std::string> Points::assignments(const Digits& digits, std::int64_t data) const {
  std::vector<std::string> sets;
  for (std::size_t d = 0; d < axes_.size(); ++d) sets.push_back(axes_[d].key.path + "=" + text(d, digits[d]));
  if (data_follows_ && data_said_) sets.push_back(fmt::format("layout.data={}", data));
  return sets;
}

}  // namespace orrery::sweep
