// Loads of experts from a file: every expert of every layer that has experts, once; the same sum in each layer.
#include <fmt/format.h>

#include <cmath>
#include <map>

#include "orrery/core/csv.hpp"
#include "orrery/core/field_table.hpp"
#include "rules.hpp"

namespace orrery::scenario {
namespace {

constexpr double kRounding = 1e-4;  // of sums: shares are written with a few digits

class LoadsReader {
 public:
  LoadsReader(const CsvTable& table, const model::ModelSpec& model)
      : table_(table), m_(model), loads_(static_cast<std::size_t>(model.layers)) {
    for (std::int64_t layer = 0; layer < m_.layers; ++layer)
      if (m_.experts.in_layer(layer)) of(layer).assign(static_cast<std::size_t>(m_.experts.count), -1);
  }

  Diagnostics read() {
    for (const char* column : {"layer", "expert", "load"})
      if (table_.column(column) < 0) wrong(fmt::format("{}: has no column '{}'", table_.name, column));
    if (!errors_.empty()) return errors_;
    for (std::size_t row = 0; row < table_.rows.size() && errors_.empty(); ++row) take(row);
    if (errors_.empty()) check_sums();
    return errors_;
  }
  layout::ExpertLoads give() { return std::move(loads_); }

 private:
  std::vector<double>& of(std::int64_t layer) { return loads_[static_cast<std::size_t>(layer)]; }

  void wrong(std::string message, std::string help = "columns layer, expert and load, counted from 0") {
    Diagnostic d;
    d.path = "training.routing.file", d.message = std::move(message), d.help = std::move(help);
    errors_.push_back(std::move(d));
  }
  void wrong_at(std::size_t row, const char* column, std::string message, std::string help) {
    errors_.push_back(
        table_.at(row, static_cast<std::size_t>(table_.column(column)), std::move(message), std::move(help)));
  }
  const std::string& text(std::size_t row, const char* column) const {
    return table_.rows[row][static_cast<std::size_t>(table_.column(column))].text;
  }

  // In [0, count), or -1.
  std::int64_t number(std::size_t row, const char* column, std::int64_t count, const std::string& help) {
    std::int64_t value = -1;
    if (parse_integer(text(row, column), value).empty() && value >= 0 && value < count) return value;
    wrong_at(row, column, fmt::format("'{}' is none of the {} {}s of {}", text(row, column), count, column, m_.name),
             help);
    return -1;
  }

  void take(std::size_t row) {
    const std::int64_t layer = number(row, "layer", m_.layers, "layers are counted from 0");
    const std::int64_t expert = number(row, "expert", m_.experts.count, "experts are counted from 0");
    if (layer < 0 || expert < 0) return;
    if (of(layer).empty())
      return wrong_at(row, "layer", fmt::format("layer {} of {} has no experts", layer, m_.name), "leave its rows out");
    double load = -1;
    if (!parse_number(text(row, "load"), load).empty() || !(load >= 0 && load < 1e18))
      return wrong_at(row, "load", fmt::format("'{}' is no load", text(row, "load")), "tokens or shares, 0 or more");
    double& at = of(layer)[static_cast<std::size_t>(expert)];
    if (at >= 0)
      return wrong_at(row, "expert", fmt::format("expert {} of layer {} is there twice", expert, layer),
                      "one row for each expert of a layer");
    at = load;
  }

  void check_sums() {
    double first = -1;
    std::int64_t first_layer = 0;
    for (std::int64_t layer = 0; layer < m_.layers && errors_.empty(); ++layer) {
      double sum = 0, most = 0;
      for (std::size_t e = 0; e < of(layer).size(); ++e) {
        const double load = of(layer)[e];
        if (load < 0) {
          wrong(fmt::format("{}: expert {} of layer {} is missing", table_.name, e, layer),
                "a row for each expert of each layer that has experts; one that is given nothing has load 0");
          return;
        }
        sum += load, most = std::max(most, load);
      }
      if (of(layer).empty()) continue;
      if (first < 0) first = sum, first_layer = layer;
      if (sum <= 0 || std::abs(sum - first) > kRounding * first)
        wrong(fmt::format("{}: the loads of layer {} sum to {}, those of layer {} to {}", table_.name, layer, sum,
                          first_layer, first),
              "each layer is given all tokens: let its loads sum to the copies of tokens, or to 1");
      else if (most * static_cast<double>(m_.experts.top_k) > sum * (1 + kRounding))
        wrong(fmt::format("{}: an expert of layer {} is given {} of {}, more than one copy of each token", table_.name,
                          layer, most, sum),
              fmt::format("a token goes to {} experts: a share is at most 1/{}", m_.experts.top_k, m_.experts.top_k));
      for (double& load : of(layer)) load /= sum;
    }
  }

  const CsvTable& table_;
  const model::ModelSpec& m_;
  layout::ExpertLoads loads_;
  Diagnostics errors_;
};

}  // namespace

Diagnostics read_loads(Scenario& s) {
  RoutingChoice& routing = s.training.routing;
  routing.loads.reset();
  if (routing.file.empty() || s.model.experts.count == 0) return {};
  const Result<CsvTable> table = read_csv_file(routing.file);
  if (!table.ok()) {
    Diagnostics errors = table.errors();
    for (Diagnostic& e : errors) {
      e.path = "training.routing.file";
      if (e.place.line == 0) e.message = e.place.file + ": " + e.message, e.place = {};
    }
    return errors;
  }
  LoadsReader reader(*table, s.model);
  if (Diagnostics wrong = reader.read(); !wrong.empty()) return wrong;
  routing.loads = std::make_shared<const layout::ExpertLoads>(reader.give());
  return {};
}

}  // namespace orrery::scenario
