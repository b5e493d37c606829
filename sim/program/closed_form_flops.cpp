// The FLOPs of a step in closed form, of what the model, the layout and the recomputation say alone: no pass is looked
// at.
#include <algorithm>

#include "flops_book.hpp"

namespace orrery::program {
namespace {

using layout::AttentionKind;
using layout::PassOptions;
using layout::Recompute;

// What one layer runs again, as parts of its forward pass (pass.hpp, Recompute).
struct Again {
  WideFlops features = 0;                // of the linear layers: in · out
  WideFlops of_copy = 0;                 // those of them that a copy of a token meets in its expert
  bool scores = false, context = false;  // the products of unfused attention
  bool fused = false;                    // the attention kernel
  bool relative = false;
  bool crossing = false;  // the linear layers of cross-attention
};

class ClosedForm {
 public:
  explicit ClosedForm(const StepInput& input)
      : input_(input),
        m_(input.graph->spec),
        o_(input.pass),
        flash_(o_.attention == AttentionKind::flash),
        kinds_(gpu_kinds(input)),
        passes_(micro_batches_by_kind(input)) {
    stage_of_.assign(static_cast<std::size_t>(m_.layers), 0);
    stages_ = {{.first_layer = 0, .layers = m_.layers}};
    if (kinds_.size() == 1 && !counts_in_stages()) return;
    const auto spans = layout::partition_layers(m_, input.layout);
    check(spans.ok(), "layers that were given to stages have one");
    stages_ = *spans;
    for (std::size_t s = 0; s < stages_.size(); ++s)
      std::fill_n(stage_of_.begin() + stages_[s].first_layer, stages_[s].layers, s);
  }

  StepFlops flops() {
    for (std::int64_t i = 0; i < m_.layers; ++i) add_layer(i, runs_again(i) ? again_in(i) : Again{});
    for (std::int64_t i = 0; i < m_.prediction_layers; ++i) {
      add_layer(m_.layers - 1, o_.recompute == Recompute::selective ? again_in(m_.layers - 1) : Again{});
      add_linear(2 * static_cast<WideFlops>(m_.hidden) * m_.hidden, tokens(m_.layers - 1));
    }
    add_linear((1 + static_cast<WideFlops>(m_.prediction_layers)) * m_.hidden * m_.vocab, tokens(m_.layers - 1));
    add_heads();
    f_.executed.linear += f_.model.linear + f_.again.linear - unneeded_;
    f_.executed.attention += f_.again.attention;
    f_.korthikanti = f_.model.total() + (counts_attention_twice(o_) ? f_.model.attention : f_.again.linear + in_full_);
    return f_;
  }

 private:
  void add_linear(WideFlops features, WideFlops tokens) { f_.model.linear += 6 * tokens * features; }

  // What an encoder has beside the token table: each tensor rank does all of it but for its tokens under sequence
  // parallel, and of the first tokens each context rank.
  void add_heads() {
    const layout::Layout& l = input_.layout;
    const WideFlops transform = tokens(0) * model::head_matrices(m_), pooler = sequences() * model::pooler_matrices(m_);
    add_linear(1, transform + pooler);
    const bool shared = l.sequence_parallel && l.tensor > 1;
    f_.executed.linear += 6 * (transform * (shared ? 0 : l.tensor - 1) + pooler * (l.tensor * l.context - 1));
  }

  void add_layer(std::int64_t layer, const Again& again) {
    const WideFlops of_layer = tokens(layer), of_encoder = tokens(0);
    const WideFlops encodings = is_relative() ? static_cast<WideFlops>(m_.hidden) * m_.query_features() : 0;
    add_linear(model::attention_matrices(m_) + model::mlp_matrices(m_, layer) + encodings, of_layer);
    unneeded_ += 2 * of_layer * encodings;  // constants: no input gradient
    f_.again.linear += 2 * of_layer * again.features;
    if (m_.experts.in_layer(layer)) add_copies(layer, again);
    const std::int64_t length = length_of(layer);
    add_attention({length, length, m_.window_of(layer), !m_.in_encoder(layer), layer}, again);
    if (!crosses(layer)) return;
    const WideFlops queries = model::cross_query_matrices(m_), keys = model::cross_key_matrices(m_);
    add_linear(queries, of_layer), add_linear(keys, of_encoder);
    if (again.crossing) f_.again.linear += 2 * (of_layer * queries + of_encoder * keys);
    add_attention({length, o_.sequence_length, 0, false, layer}, again);
  }

  // Queries and keys of a sequence.
  struct Attention {
    std::int64_t queries = 0, keys = 0, window = 0;
    bool causal = true;
    std::int64_t layer = 0;
  };

  void add_attention(const Attention& a, const Again& again) {
    const bool square = a.queries == a.keys && flash_;
    const WideFlops pairs =
        sequences() * (square ? static_cast<WideFlops>(model::attention_pairs(m_, a.window, a.queries))
                              : static_cast<WideFlops>(a.queries) * a.keys);
    const WideFlops scores = 2 * pairs * m_.query_features(), context = 2 * pairs * m_.context_features(),
                    relative = is_relative() ? scores : 0;
    f_.model.attention += 3 * (scores + context + relative);
    f_.executed.attention += 3 * relative + (flash_ ? fused(false, a) + fused(true, a) : 3 * (scores + context));
    const WideFlops unfused =
        (again.scores ? scores : 0) + (again.context ? context : 0) + (again.relative ? relative : 0);
    f_.again.attention += unfused + (again.fused ? fused(false, a) : 0);
    in_full_ += unfused + (again.fused ? scores + context : 0);
  }

  // Copies that are dropped are not run, those of padding are.
  void add_copies(std::int64_t layer, const Again& again) {
    const layout::Layout& l = input_.layout;
    const layout::ExpertRows rows =
        layout::expert_rows(m_.experts, m_.layers, l, layout::tokens_sent(l, o_), o_.routing, layer);
    const WideFlops passes = static_cast<WideFlops>(l.tensor) * l.context * micro_batches_of_step(input_),
                    all = passes * rows.copies;
    const WideFlops more = all - tokens(layer) * m_.experts.top_k;
    const WideFlops matrices = static_cast<WideFlops>(m_.hidden) * m_.experts.hidden * (m_.gated() ? 3 : 2);
    f_.executed.linear += 6 * more * matrices;
    f_.again.linear += 2 * more * again.of_copy;
  }

  bool crosses(std::int64_t layer) const { return m_.has_two_stacks() && !m_.in_encoder(layer); }
  std::int64_t length_of(std::int64_t layer) const {
    const model::Lengths lengths{o_.sequence_length, o_.decoder_sequence_length};
    return crosses(layer) ? lengths.behind_encoder() : lengths.sequence;
  }
  bool is_relative() const { return m_.position == model::Position::relative; }
  WideFlops sequences() const { return static_cast<WideFlops>(micro_batches_of_step(input_)) * o_.micro_batch; }
  WideFlops tokens(std::int64_t layer) const { return sequences() * length_of(layer); }

  // Fused attention of one layer: forward QKᵀ and AV; backward these for five gradients, the scores once more. Of the
  // blocks of `rows` those that the mask leaves. Over context ranks one kernel a block of a ring, or one; or one of all
  // positions and fewer heads.
  WideFlops fused(bool backward, const Attention& a) const {
    const layout::Layout& l = input_.layout;
    const bool ring = o_.calls.context_exchange == layout::ContextExchange::ring ||
                      o_.calls.context_exchange == layout::ContextExchange::gathered_ring,
               heads = o_.calls.context_exchange == layout::ContextExchange::all_to_all;
    const std::int64_t queries = heads ? a.queries : a.queries / l.context, keys = ring ? a.keys / l.context : a.keys,
                       window = a.window;
    const std::int64_t d = m_.dim_per_head(), v = m_.value_dim();
    const bool within = window > 0 && window < keys;
    const WideFlops pairs = within ? static_cast<WideFlops>(model::attention_pairs(m_, window, keys))
                                   : static_cast<WideFlops>(queries) * keys;
    const WideFlops whole = (backward ? 2 * (3 * d + 2 * v) : 2 * (d + v)) * pairs *
                            (m_.heads / l.tensor / (heads ? l.context : 1)) * o_.micro_batch;
    const auto on = [&](const cost::KernelModel& model) {
      const cost::AttentionKernels& kernels = model.attention_of(cost::AttentionLibrary::flash2);
      const std::int64_t rows = backward ? kernels.backward.rows : kernels.forward.rows,
                         length = backward ? keys : queries, blocks = ceil_div(length, rows);
      if (within)
        return whole * (cost::causal_blocks(length, rows, window, m_.attention_chunks).all * rows * rows) / pairs;
      return a.causal ? whole * (blocks + 1) / (2 * blocks) : whole;
    };
    WideFlops of_ranks = 0;  // each pipe's
    for (std::size_t k = 0; k < kinds_.size(); ++k)
      of_ranks += on(kinds_[k].kernels) * passes_[stage_of_[static_cast<std::size_t>(a.layer)]][k];
    return of_ranks / input_.schedule->placement.pipes * (ring ? l.context : 1);
  }

  // Full recomputation of layers by their place in a stage.
  bool counts_in_stages() const {
    const bool plain = o_.recompute_method == layout::RecomputeMethod::uniform && o_.recompute_num_layers <= 1;
    return o_.recompute == Recompute::full && o_.recompute_every <= 1 && !plain;
  }

  // Among those of its stack that its stage holds.
  struct Place {
    std::int64_t before = 0, behind = 0;
  };
  Place place_in_stage(std::int64_t layer) const {
    const layout::StageSpan& stage = stages_[stage_of_[static_cast<std::size_t>(layer)]];
    std::int64_t first = stage.first_layer, end = stage.first_layer + stage.layers;
    if (m_.has_two_stacks() && m_.in_encoder(layer)) end = std::min(end, m_.encoder_layers);
    if (m_.has_two_stacks() && !m_.in_encoder(layer)) first = std::max(first, m_.encoder_layers);
    return {layer - first, end - layer - 1};
  }

  bool runs_again(std::int64_t layer) const {
    if (counts_in_stages())
      return o_.recompute_method == layout::RecomputeMethod::uniform ||
             place_in_stage(layer).before < o_.recompute_num_layers;
    if (o_.recompute == Recompute::full) return layer % std::max<std::int64_t>(o_.recompute_every, 1) == 0;
    if (o_.recompute == Recompute::alternate_layers) return layer % std::max<std::int64_t>(o_.recompute_every, 2) == 0;
    return o_.recompute != Recompute::none;
  }

  // A layer behind it is run again with it.
  bool goes_on(std::int64_t layer) const {
    if (!counts_in_stages() || o_.recompute_method == layout::RecomputeMethod::block) return false;
    const Place place = place_in_stage(layer);
    return place.behind > 0 && (place.before + 1) % o_.recompute_num_layers != 0;
  }

  // The last product of a layer is run again only where it must go by, or where something behind it is needed.
  bool last_again(std::int64_t layer) const {
    const bool cast_kept = is_quantised(o_.compute) && o_.kernels.fp8_saves_input;
    const bool early = o_.kernels.recompute_stops_early || o_.recompute == Recompute::selective_op;
    return !early || m_.dropout || cast_kept || m_.norm_place != model::NormPlace::before || goes_on(layer);
  }

  // The context of unfused attention, and the result of a module's last product, are read outside of what is run again.
  Again of_modules(std::int64_t layer) const {
    using M = layout::RecomputeModule;
    const layout::RecomputeModules& modules = o_.recompute_modules;
    const bool early = o_.kernels.recompute_stops_early, core = modules.has(M::core_attn),
               cast_kept = is_quantised(o_.compute) && o_.kernels.fp8_saves_input, last = !early || cast_kept;
    const WideFlops h = m_.hidden, first = h * (m_.gated() ? 2 : 1);
    const auto mlp = [&](WideFlops width, bool whole) { return width * (first + (whole ? h : 0)); };
    const model::Experts& e = m_.experts;
    const model::LatentAttention& l = m_.latent_attention;
    Again again{0, 0, core && !flash_, core && !flash_ && !early, core && flash_, false};
    if (modules.has(M::mla_up_proj) && m_.latent())
      again.features += (l.query_rank > 0 ? l.query_rank : h) * m_.query_features() +
                        static_cast<WideFlops>(l.key_value_rank) * m_.heads * (l.nope_dim + l.value_dim);
    if (!e.in_layer(layer)) {
      if (modules.has(M::mlp)) again.features += mlp(m_.ffn_hidden, last);
      return again;
    }
    if (modules.has(M::moe))
      again.of_copy = mlp(e.hidden, last),
      again.features += h * e.count + e.top_k * again.of_copy + mlp(e.shared_hidden, true);
    else if (modules.has(M::shared_experts))
      again.features += mlp(e.shared_hidden, last || e.shared_gate);
    return again;
  }

  Again again_in(std::int64_t layer) const {
    const WideFlops h = m_.hidden, projection = h * m_.context_features(),
                    encodings = is_relative() ? h * m_.query_features() : 0,
                    last = h * (m_.experts.in_layer(layer) ? m_.experts.top_k * m_.experts.hidden : m_.ffn_hidden);
    const WideFlops all = model::attention_matrices(m_) + model::mlp_matrices(m_, layer) + encodings;
    switch (o_.recompute) {
      case Recompute::none:
        return {};
      case Recompute::selective:
        return of_modules(layer);
      case Recompute::full:
      case Recompute::alternate_layers:
        return {all - (last_again(layer) ? 0 : last),
                h * m_.experts.hidden * ((m_.gated() ? 2 : 1) + (last_again(layer) ? 1 : 0)),
                !flash_,
                !flash_,
                flash_,
                is_relative(),
                true};
      case Recompute::selective_op:  // of q, k, v, projection, gate, up, fc2 every second
        return {h * m_.kv_features() + projection + (m_.gated() || last_again(layer) ? last : 0) + encodings,
                0,
                !flash_,
                !flash_,
                false,
                is_relative()};
    }
    internal_error("closed_form_flops: unknown policy");
  }

  const StepInput& input_;
  const model::ModelSpec& m_;
  const PassOptions& o_;
  bool flash_;
  std::vector<GpuRef> kinds_;
  std::vector<std::vector<std::int64_t>> passes_;  // [stage][kind] of a micro-batch
  std::vector<std::size_t> stage_of_;              // [layer]
  std::vector<layout::StageSpan> stages_;
  StepFlops f_;
  WideFlops unneeded_ = 0, in_full_ = 0;
};

}  // namespace

StepFlops closed_form_flops(const StepInput& input) {
  return ClosedForm(input).flops();
}

}  // namespace orrery::program
