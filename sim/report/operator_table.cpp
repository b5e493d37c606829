#include "operator_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "trace_slices.hpp"

namespace orrery::report {
namespace {

using layout::PassKind;
using program::LayerStep;

std::string shape_text(const LayerStep& row) {
  const model::Kernel& k = row.step.kernel;
  if (row.step.is_communication) return std::string(collective_text(row.step.collective));
  switch (k.kind) {
    case model::KernelKind::gemm:
      return k.batch > 1 ? fmt::format("{} × {} × {} × {}", k.batch, k.m, k.n, k.k)
                         : fmt::format("{} × {} × {}", k.m, k.n, k.k);
    case model::KernelKind::attention_forward:
    case model::KernelKind::attention_backward:
      return fmt::format("{} × {} heads, {} × {} of {}", k.batch, k.heads, k.sequence_q, k.sequence_kv, k.head_dim);
    case model::KernelKind::memory:
      return row.step.kernels > 1 ? fmt::format("{} kernels", row.step.kernels) : "";
  }
  return {};
}

// A rank sends no more than the message, of an all-reduce twice that: layers of the other stack may move more.
bool moves_at_most(const program::PassPart& part, const layout::PassStep& step) {
  const std::int64_t passes = step.collective == Collective::all_reduce ? 2 : 1;
  return part.bytes_sent.value <= passes * step.message.value;
}

// As it was laid out in a pass of the stage (alone, where transfers share links); of calls that differ the longest.
const program::PassPart* call_in(const RunResult& run, const LayerStep& row, std::int64_t layer) {
  const program::PassPart* longest = nullptr;
  for (const program::PassPart& part : run.program.parts)
    if (is_transfer(part.category) && part.layer == layer && part.backward == (row.pass != PassKind::forward) &&
        part.collective == row.step.collective && std::string_view(part.name) == row.step.name &&
        moves_at_most(part, row.step) && (longest == nullptr || part.end - part.start > longest->end - longest->start))
      longest = &part;
  return longest;
}

std::int64_t passes_of(const RunResult& run) {
  std::int64_t micro_batches = 0;
  for (const program::Operation& op : run.program.operations)
    if (op.activity <= program::Activity::overlapped)
      micro_batches = std::max<std::int64_t>(micro_batches, op.micro_batch + 1);
  std::int64_t layers = 0;
  for (const program::StageSummary& stage : run.stages) layers += stage.span.layers;
  return micro_batches * layers;
}

}  // namespace

std::string layer_text(const RunResult& run) {
  const program::LayerSteps& of = run.layer;
  return fmt::format("Layer {}, of stage {}, one micro-batch on one GPU", of.layer, of.stage) +
         (of.place < 0 ? "" : fmt::format(", rank {} of its expert group, which is given most tokens", of.place));
}

std::vector<OperatorRow> operator_rows(const RunResult& run) {
  std::vector<OperatorRow> rows;
  if (run.stages.empty()) return rows;
  const std::int64_t within =
      run.layer.layer - run.stages.at(static_cast<std::size_t>(run.layer.stage)).span.first_layer;
  std::int32_t pipeline = 0;
  for (const program::Device& d : run.program.devices) pipeline = std::max(pipeline, d.pipeline_rank() + 1);
  const double per_step =
      static_cast<double>(passes_of(run)) / pipeline / static_cast<double>(run.timeline.step_time.value);
  for (const LayerStep& from : run.layer.steps) {
    const bool again = from.step.role == layout::StepRole::recompute;
    OperatorRow row{again                            ? "recompute"
                    : from.pass == PassKind::forward ? "F"
                                                     : "B",
                    from.step.name,
                    shape_text(from),
                    static_cast<double>(from.executed),
                    static_cast<double>(from.step.kernel.bytes.value),
                    from.time,
                    std::string(program::kBoundNames[static_cast<std::size_t>(from.bound)]),
                    0};
    if (from.step.is_communication) {
      const program::PassPart* part = call_in(run, from, within);
      if (part == nullptr) continue;  // one rank alone calls nobody
      row.time = part->end - part->start, row.bytes = static_cast<double>(part->bytes_sent.value);
    }
    row.share = static_cast<double>(row.time.value) * per_step;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace orrery::report
