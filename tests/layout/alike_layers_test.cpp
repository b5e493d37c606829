// Stages whose layers do the same are made of a few of them: each pass is, step for step, that of all layers split one
// by one.
#include "layout/alike_layers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "../drawn/drawn.hpp"
#include "drawn_options.hpp"
#include "layout/operators/splitter.hpp"
#include "layout/pass_builder.hpp"
#include "orrery/layout/alike_stages.hpp"
#include "orrery/model/presets.hpp"
#include "stages.hpp"

namespace orrery::layout::alike_layers_test {

using namespace orrery::layout::test;

namespace {

// Every layer split by itself.
struct Whole {
  Whole(const model::ModelGraph& graph, const Layout& layout, std::span<const std::int32_t> nodes, const PassOptions& o)
      : tape(Splitter(graph, layout, o).split(nodes)),
        recomputed(recomputation_of(tape, graph.spec, o)),
        backward(tape, recomputed) {}
  std::vector<PassStep> pass(PassKind kind) const {
    return kind == PassKind::forward ? forward_pass(tape, recomputed) : backward.pass(kind);
  }
  std::vector<TensorId> held_before(PassKind kind) const {
    return kind == PassKind::forward ? std::vector<TensorId>{} : backward.held_before(kind);
  }
  Tape tape;
  Recomputation recomputed;
  BackwardPass backward;
};

// What is the same however tensors are numbered.
bool same_step(const PassStep& a, const PassStep& b) {
  return a.is_communication == b.is_communication && a.role == b.role && a.kind == b.kind && a.copies == b.copies &&
         std::string_view(a.name) == b.name && a.layer == b.layer && a.kernel == b.kernel && a.kernels == b.kernels &&
         a.of_experts == b.of_experts && a.collective == b.collective && a.along == b.along && a.message == b.message &&
         a.beside == b.beside && a.gradients_ready == b.gradients_ready && a.memory.size() == b.memory.size() &&
         a.uses.size() == b.uses.size();
}

// Numbers of tensors in one pass stand for each other, one to one. Those of the forward pass alone (its work space) are
// numbered beside those of backward passes.
class Names {
 public:
  explicit Names(std::size_t shared) : shared_(static_cast<TensorId>(shared)) {}
  void begin(PassKind kind) { forward_ = kind == PassKind::forward, seen_.clear(); }
  bool same(TensorId whole, TensorId repeated) {
    const auto [name, fresh] = names_.try_emplace({whole >= shared_ && forward_, whole}, repeated);
    if (name->second != repeated) return false;
    const auto [back, first] = seen_.try_emplace(repeated, whole);
    return back->second == whole;
  }

 private:
  TensorId shared_;
  bool forward_ = false;
  std::map<std::pair<bool, TensorId>, TensorId> names_;
  std::map<TensorId, TensorId> seen_;  // in this pass
};

std::string different(const Whole& whole, const StageModel& stage) {
  Names names(whole.tape.tensors.size());
  for (const PassKind kind : kPasses) {
    names.begin(kind);
    const std::vector<PassStep> a = whole.pass(kind), b = stage.pass(kind);
    if (a.size() != b.size()) return "another number of steps";
    for (std::size_t i = 0; i < a.size(); ++i) {
      const std::string where = std::string(a[i].name) + " of layer " + std::to_string(a[i].layer);
      if (!same_step(a[i], b[i])) return where;
      for (std::size_t m = 0; m < a[i].memory.size(); ++m) {
        const MemoryChange &x = a[i].memory[m], &y = b[i].memory[m];
        if (x.at_end != y.at_end || x.memory_class != y.memory_class || x.bytes != y.bytes) return where + ": memory";
        if (!names.same(x.tensor, y.tensor)) return where + ": the tensor that is held";
      }
      for (std::size_t u = 0; u < a[i].uses.size(); ++u)
        if (!names.same(a[i].uses[u], b[i].uses[u])) return where + ": a tensor that is used";
    }
    const std::vector<TensorId> held = whole.held_before(kind), repeated = stage.held_before(kind);
    std::set<TensorId> renamed;
    for (const TensorId t : held) {
      const auto found = std::ranges::find_if(repeated, [&](TensorId r) { return names.same(t, r); });
      if (found != repeated.end()) renamed.insert(*found);
    }
    if (renamed.size() != held.size() || repeated.size() != held.size()) return "what is held before a pass";
  }
  return {};
}

std::string different_sums(const Whole& whole, const StageModel& stage) {
  std::int64_t replicated = 0, saved = 0;
  for (const TapePart& part : whole.tape.parts) replicated += part.replicated_parameters;
  for (std::size_t t = 0; t < whole.tape.tensors.size(); ++t)
    saved += whole.recomputed.saved[t] ? whole.tape.tensors[t].value : 0;
  if (replicated != stage.replicated_parameters()) return "replicated parameters";
  if (saved != stage.saved_activations().value) return "activations kept";
  Flops forward{}, run{};
  std::map<std::pair<bool, std::int64_t>, std::int64_t> parameters;
  for (const PassStep& s : whole.pass(PassKind::forward)) forward += s.kernel.flops;
  for (const PassStep& s : whole.pass(PassKind::backward))
    run += s.kernel.flops, parameters[{s.of_experts, s.layer}] += s.gradients_ready;
  if (stage.model_flops() != 3 * forward || stage.hardware_flops() != forward + run) return "FLOPs";
  for (const auto& [of, count] : parameters)
    if (stage.parameters_of_layer(of.second, of.first ? Parameters::experts : Parameters::dense) != count)
      return "parameters of layer " + std::to_string(of.second);
  return {};
}

struct Case {
  Layout layout;
  PassOptions options;
  StageSpan span;
};

Case draw(Random& random, const model::ModelSpec& spec) {
  Case c;
  c.options = draw_options(random);
  c.options.sequence_length = 128;
  c.options.decoder_sequence_length = random.between(0, 1) * 64;
  if (spec.position == model::Position::relative || spec.position == model::Position::relative_bias)
    c.options.attention = AttentionKind::unfused;
  c.layout.tensor = spec.heads % 2 == 0 && spec.kv_heads % 2 == 0 && random.between(0, 1) ? 2 : 1;
  c.layout.sequence_parallel = c.layout.tensor > 1 && random.between(0, 1);
  const std::int64_t first = random.between(0, 2), last = random.between(0, 2);
  c.span = {first, spec.layers - first - last, first == 0, last == 0};
  return c;
}

}  // namespace

TEST_CASE("a stage made of a few of its layers is, step for step, the stage of all of them") {
  Random random(11);
  std::size_t shorter = 0, drawn = 0;
  for (const std::string& name : model::list_models()) {
    CAPTURE(name);
    const model::ModelSpec spec = *model::load_model(name);
    for (int n = 0; n < std::max(1, orrery::testing::draws(4)); ++n, ++drawn) {
      const Case c = draw(random, spec);
      const model::ModelGraph graph = graph_of(spec, c.options);
      const std::vector<std::int32_t> nodes = operators_of(stage_of_operators(graph, {&c.span, 1}), 0);
      shorter += short_stage(graph, nodes, c.options) ? 1 : 0;
      const Whole whole(graph, c.layout, nodes, c.options);
      const StageModel stage(graph, c.layout, nodes, c.options);
      REQUIRE(different(whole, stage) == "");
      REQUIRE(different_sums(whole, stage) == "");
    }
  }
  CHECK(shorter * 10 > drawn * 9);
}

TEST_CASE("what stands for more, and what does not") {
  const auto alike = [](const model::ModelSpec& spec, const PassOptions& o) {
    const model::ModelGraph graph = graph_of(spec, o);
    std::vector<std::int32_t> nodes(graph.operators.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i] = static_cast<std::int32_t>(i);
    const auto s = short_stage(graph, nodes, o);
    return s ? std::array<std::int64_t, 3>{s->alike.first_layer, s->alike.period, s->alike.left_out}
             : std::array<std::int64_t, 3>{};
  };
  using Found = std::array<std::int64_t, 3>;
  PassOptions o;
  o.sequence_length = 64;
  // The first and the last are kept beside the one that stands for the others: 8 layers are 0, 1 (of 1 to 6) and 7.
  CHECK(alike(gpt(8, 64, 4, 256), o) == Found{1, 1, 5});
  CHECK(alike(gpt(4, 64, 4, 256), o) == Found{1, 1, 1});
  CHECK(alike(gpt(3, 64, 4, 256), o) == Found{});
  // Full recomputation of every second layer: pairs.
  o.recompute = Recompute::full, o.recompute_every = 2;
  CHECK(alike(gpt(8, 64, 4, 256), o) == Found{2, 2, 1});
  CHECK(alike(gpt(7, 64, 4, 256), o) == Found{});
  // Three together, of 16: 0-2, 3-5 (and 6-8, 9-11), 12-14, and the last by itself.
  o.recompute_every = 1, o.recompute_num_layers = 3;
  CHECK(alike(gpt(16, 64, 4, 256), o) == Found{3, 3, 2});
  CHECK(alike(gpt(11, 64, 4, 256), o) == Found{});
  // The first five run again, the other eleven not: 5, 6 (of 6 to 14) and 15 of these; of eleven and five the other
  // way.
  o.recompute_method = RecomputeMethod::block, o.recompute_num_layers = 5;
  CHECK(alike(gpt(16, 64, 4, 256), o) == Found{6, 1, 8});
  o.recompute_num_layers = 11;
  CHECK(alike(gpt(16, 64, 4, 256), o) == Found{1, 1, 8});
  // Loads of their own.
  o = {};
  o.sequence_length = 64, o.routing.exponent = 1;
  CHECK(alike(gpt(8, 64, 4, 256), o) == Found{});
}

}  // namespace orrery::layout::alike_layers_test
