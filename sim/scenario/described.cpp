#include "described.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "orrery/core/error.hpp"
#include "orrery/core/show.hpp"

namespace orrery::scenario {
namespace {

std::string sharding_text(const layout::Layout& l) {
  constexpr const char* names[] = {"", "ZeRO-1", "ZeRO-2", "ZeRO-3 (FSDP)"};
  if (l.zero == layout::Zero::none || l.gradient_ranks() == 1) return l.data > 1 ? "no sharding" : "";
  std::string text = names[static_cast<std::size_t>(l.zero)];
  if (l.replicas() > 1) text += fmt::format(" over {} of {} ranks", l.shards(), l.gradient_ranks());
  return text;
}

// " of core_attn, moe_act"; of the attention core alone, as ever, nothing.
std::string modules_text(const Training& t) {
  const layout::RecomputeModules modules = layout::modules_of(t.recompute_modules);
  if (modules == layout::RecomputeModules{}) return {};
  std::string text;
  for (const auto& [name, module] : layout::recompute_module_names())
    if (modules.has(module)) text += (text.empty() ? " of " : ", ") + name;
  return text;
}

std::string full_text(const Training& t) {
  if (t.recompute_every > 1) return fmt::format("full recomputation of every {}th layer", t.recompute_every);
  const std::int64_t n = t.recompute_num_layers;
  if (t.recompute_method == layout::RecomputeMethod::block)
    return n == 1 ? "full recomputation of the first layer of each stage"
                  : fmt::format("full recomputation of the first {} layers of each stage", n);
  return n == 1 ? "full recomputation" : fmt::format("full recomputation, {} layers together", n);
}

std::string recompute_text(const Training& t) {
  switch (t.recompute) {
    case layout::Recompute::none:
      return "no recomputation";
    case layout::Recompute::selective:
      return "selective recomputation" + modules_text(t);
    case layout::Recompute::selective_op:
      return "recomputation by operator";
    case layout::Recompute::full:
      return full_text(t);
    case layout::Recompute::alternate_layers:
      return "recomputation of alternate layers";
  }
  return {};
}

std::string setting_of(const Run& run) {
  const Scenario& s = run.scenario();
  std::string text;
  const auto add = [&](const std::string& part) {
    if (!part.empty()) text += (text.empty() ? "" : " · ") + part;
  };
  add(sharding_text(run.input().layout));
  if (s.layout.sequence_parallel) add("sequence parallel");
  add(recompute_text(s.training));
  add(kPrecisionNames[static_cast<std::size_t>(s.training.precision)]);
  add(s.stack.name.empty() ? s.stack.type : s.stack.name);
  return safe_to_show(text, Shown::one_line);
}

void add_sources(const Run& run, std::vector<std::pair<std::string, std::string>>& sources) {
  const Scenario& s = run.scenario();
  const auto add = [&](const std::string& what, const std::string& from) {
    std::pair row{what, safe_to_show(from, Shown::one_line)};
    if (!from.empty() && std::find(sources.begin(), sources.end(), row) == sources.end())
      sources.push_back(std::move(row));
  };
  add("model " + s.model.name, s.model.source);
  for (const hardware::ClusterSpec& cluster : s.clusters())
    for (const std::string& from : cluster.sources) add("cluster " + cluster.name, from);
  std::vector<program::GpuRef> kinds(s.pools.begin(), s.pools.end());
  if (kinds.empty()) kinds.emplace_back(s.gpu, s.kernels);
  for (const program::GpuRef& kind : kinds) {
    for (const std::string& from : kind.gpu.sources) add("GPU " + kind.gpu.name, from);
    add("kernels of " + kind.kernels.name, kind.kernels.source);
  }
  for (const std::string& from : run.input().tuning->sources) add("collectives", from);
  for (const auto& tuning : run.input().tunings)
    for (const std::string& from : tuning->sources) add("collectives", from);
}

// "encoder–decoder of 24 + 24 layers", "encoder"; of a decoder nothing.
std::string kind_text(const model::ModelSpec& m) {
  if (m.has_two_stacks())
    return fmt::format("encoder–decoder of {} + {} layers", m.encoder_layers, m.layers - m.encoder_layers);
  return m.kind == model::ModelKind::decoder ? "" : "encoder";
}

}  // namespace

std::string lengths_text(const Scenario& s) {
  const model::Lengths lengths = s.lengths();
  return lengths.decoder > 0 ? fmt::format("{} + {}", lengths.sequence, lengths.decoder)
                             : fmt::format("{}", lengths.sequence);
}

void describe(report::RunResult& result, const Run& run, program::Costs& costs) {
  const model::ModelSpec& m = run.scenario().model;
  constexpr const char* kinds[] = {"decoder", "encoder", "encoder_decoder"};
  result.parameters = model::parameter_count(m);
  result.head_parameters = model::head_parameters(m);
  result.model_kind = kinds[static_cast<std::size_t>(m.kind)];
  result.kind_text = kind_text(m);
  result.setting = setting_of(run);
  add_sources(run, result.sources);
  Result<program::KernelBook> book = program::kernel_book(run.input(), costs);
  check(book.ok(), "a step that is lowered has a partition");
  result.kernels = std::move(book).value();
  Result<program::LayerSteps> layer = program::layer_steps(run.input(), costs);
  check(layer.ok(), "and layers");
  result.layer = std::move(layer).value();
}

}  // namespace orrery::scenario
