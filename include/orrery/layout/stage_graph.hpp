// Who feeds whom: the edges of the model graph that run between pipeline stages. They are the messages of the pipeline,
// and schedules, replay, lowering and costs know of neighbours from here alone.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "orrery/layout/layout.hpp"
#include "orrery/layout/pass.hpp"
#include "orrery/model/graph.hpp"

namespace orrery::layout {

// A tensor that one stage makes and another reads. Forward passes send it `from` → `to`, backward passes its gradient,
// which is as large, `to` → `from`. "Forward" and "backward" below are these two ways.
struct StageEdge {
  std::int32_t from = 0, to = 0;
  Bytes bytes{};            // per rank and micro-batch
  const char* tensor = "";  // the operator that makes it; static text

  std::int32_t source(bool forward) const { return forward ? from : to; }
  std::int32_t target(bool forward) const { return forward ? to : from; }
};

// How a rank sends a tensor to another stage's rank: beside compute; in the sender's compute stream; or sender and
// receiver wait for each other, in the program order of Megatron-LM's schedule without interleaving
// (send_forward_recv_backward …): a message starts when both ends have posted it, and a rank goes on when every message
// of its exchange is done.
enum class MessageMode : std::uint8_t { asynchronous, serialised, rendezvous };

// Parameters of which several stages hold a copy: the copies sum their gradients once a step.
struct SharedParameters {
  std::vector<std::int32_t> stages;
  std::int64_t parameters = 0;  // of one rank
};

class StageGraph {
 public:
  // Edges join stages 0 … stages − 1, each two different ones.
  explicit StageGraph(int stages = 1, std::vector<StageEdge> edges = {}, std::vector<SharedParameters> shared = {});

  int stages() const { return static_cast<int>((first_.size() - 1) / 2); }
  const std::vector<StageEdge>& edges() const { return edges_; }
  const StageEdge& edge(std::int32_t index) const { return edges_[static_cast<std::size_t>(index)]; }
  const std::vector<SharedParameters>& shared() const { return shared_; }
  // Indices of edges. A forward pass of a stage waits for what arrives forward and sends what leaves forward; a
  // backward pass, what arrives and leaves backward.
  std::span<const std::int32_t> arriving(int stage, bool forward) const { return ends(2 * stage + (forward ? 0 : 1)); }
  std::span<const std::int32_t> leaving(int stage, bool forward) const { return arriving(stage, !forward); }

 private:
  std::span<const std::int32_t> ends(int row) const {
    const auto r = static_cast<std::size_t>(row);
    return std::span(by_stage_).subspan(first_[r], first_[r + 1] - first_[r]);
  }

  std::vector<StageEdge> edges_;
  std::vector<SharedParameters> shared_;
  std::vector<std::int32_t> by_stage_;  // edges by the stage they lead to, then by the stage they come from
  std::vector<std::size_t> first_;      // [2 · stage + (0 = edges to it, 1 = from it)], and the end
};

// Each stage feeds the next: what a schedule by itself is played with.
StageGraph stage_chain(int stages);

// The same of a model whose stages are these, without bytes: what feeds whom. Behind an encoder each stage of the
// decoder is fed by the last of the encoder too.
StageGraph stages_of(const model::ModelSpec& spec, std::span<const StageSpan> spans);

// The cut edges of a partition that gives stage[i] to operator i, as one rank sends them: each tensor once for each
// stage that reads it. A stage may feed any others. A matrix that two stages share is a copy in each.
StageGraph stage_graph(const model::ModelGraph& graph, std::span<const std::int32_t> stage, int stages,
                       const Layout& layout, const PassOptions& options);

}  // namespace orrery::layout
