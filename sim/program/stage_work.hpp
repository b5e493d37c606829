// What the layout room says of the stages of a step, without times.
#pragma once
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "orrery/core/kept.hpp"
#include "orrery/layout/pass.hpp"
#include "orrery/layout/stage_graph.hpp"
#include "orrery/model/graph.hpp"

namespace orrery::program {

// The operators in stages, and which stages do the same work.
struct CutKey {
  std::shared_ptr<const model::ModelGraph> graph;
  std::vector<std::int32_t> stage_of;  // [operator]
  int stages = 1;
  std::int64_t period = 1;  // of the recomputation, in layers
  friend bool operator==(const CutKey&, const CutKey&) = default;
  void add_to(Hash& hash) const;
};
struct Cut {
  explicit Cut(const CutKey& key);
  std::vector<std::int32_t> operators_of(std::int32_t stage) const;

  CutKey of;
  bool acyclic;
  std::vector<layout::StageSpan> spans;               // [stage]
  std::vector<std::vector<std::int64_t>> signatures;  // [stage] equal where the work is
  std::vector<std::int32_t> alike;                    // [stage] the first that does the same
};

// The cut with what goes between the stages. `layout` is what passes depend on (layout::in_passes).
struct StagesKey {
  std::shared_ptr<const Cut> cut;
  layout::Layout layout;
  layout::PassOptions pass;
  friend bool operator==(const StagesKey&, const StagesKey&) = default;
  void add_to(Hash& hash) const;
};
struct Stages {
  explicit Stages(const StagesKey& key);
  StagesKey of;
  layout::StageGraph graph;
  std::vector<std::int32_t> alike_places;  // [rank of an expert group] the first whose experts have as many rows
};

// The work of a stage, of whatever partition of the graph.
struct StageWorkKey {
  std::shared_ptr<const model::ModelGraph> graph;
  std::vector<std::int64_t> signature;
  layout::Layout layout;
  layout::PassOptions pass;
  std::int32_t place = 0;  // of the rank among those that the experts are spread over
  friend bool operator==(const StageWorkKey&, const StageWorkKey&) = default;
  void add_to(Hash& hash) const;
};
// A communication call of a pass, as all steps that make it have it.
struct CallShape {
  layout::Dimension along{};
  Collective collective = Collective::all_reduce;
  Bytes message{};
  UnlikeRows rows = {};
  friend bool operator==(const CallShape&, const CallShape&) = default;
};
class StageWork {
 public:
  // `operators`: of any stage with this signature.
  StageWork(const StageWorkKey& key, std::span<const std::int32_t> operators)
      : model_(*key.graph, key.layout, operators, key.pass, key.place) {}
  const layout::StageModel& model() const { return model_; }
  const std::vector<layout::PassStep>& steps(layout::PassKind kind);
  const std::vector<CallShape>& calls(layout::PassKind kind);  // each once, in the order of the steps
  // [step] a step of the layer before that takes as long on any machine, or itself.
  const std::vector<std::uint32_t>& like(layout::PassKind kind);

 private:
  layout::StageModel model_;
  std::array<std::optional<std::vector<layout::PassStep>>, 4> steps_;  // [kind]
  std::array<std::optional<std::vector<CallShape>>, 4> calls_;         // [kind]
  std::array<std::optional<std::vector<std::uint32_t>>, 4> like_;      // [kind]
};

// Steps [begin, end) of a pass that work on one layer.
struct LayerRange {
  std::int64_t layer;
  std::uint32_t begin, end;
};
std::vector<LayerRange> layer_ranges(const std::vector<layout::PassStep>& steps);
// Parameters whose gradients are final behind the range: none of those of a layer that is only run again there.
std::int64_t gradients_ready(const std::vector<layout::PassStep>& steps, const LayerRange& range,
                             layout::Parameters of);

std::shared_ptr<StageWork> stage_work(const Stages& stages, std::int32_t stage, Kept<StageWorkKey, StageWork>& known,
                                      std::int32_t place = 0);
// With every expert given as much, whatever the routing says: what the model asks for.
std::shared_ptr<StageWork> balanced_work(const Stages& stages, std::int32_t stage,
                                         Kept<StageWorkKey, StageWork>& known);

void add_options(Hash& hash, const layout::Layout& layout, const layout::PassOptions& pass);

}  // namespace orrery::program
