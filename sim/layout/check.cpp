#include <fmt/format.h>

#include "order.hpp"
#include "orrery/layout/rank_grid.hpp"

namespace orrery::layout {
namespace {

class Checker {
 public:
  Checker(const model::ModelSpec& spec, const Layout& layout, const model::Lengths& lengths)
      : m_(spec), l_(layout), s_(lengths.sequence), of_decoder_(spec.has_two_stacks() ? lengths.decoder : 0) {}

  Diagnostics run() {
    degrees();
    if (!read_order(l_.order))
      wrong("layout.order",
            fmt::format("'{}' is not an order of {}, joined by '-', each once", l_.order, short_names()),
            "the default is tp-cp-dp-pp: tensor ranks next to each other");
    if (!errors_.empty()) return errors_;  // what follows divides by the degrees
    tensor();
    experts();
    sequence();
    sharding();
    batch();
    const auto spans = partition_layers(m_, l_);
    if (!spans) errors_.insert(errors_.end(), spans.errors().begin(), spans.errors().end());
    return errors_;
  }

 private:
  void wrong(std::string path, std::string message, std::string help = {}) {
    Diagnostic d;
    d.path = std::move(path), d.message = std::move(message), d.help = std::move(help);
    errors_.push_back(std::move(d));
  }

  void degrees() {
    const auto at_least_one = [&](std::string_view name, int degree) {
      if (degree < 1) wrong(fmt::format("layout.{}", name), fmt::format("{} is not a degree: at least 1", degree));
    };
    for (const DimensionFacts& d : kDimensionList) at_least_one(d.name, l_.*d.degree);
    at_least_one("virtual", l_.virtual_stages);
  }

  void divides(const char* what, std::int64_t count, std::string help = {}) {
    if (count % l_.tensor != 0)
      wrong("layout.tensor", fmt::format("{} {} do not divide over {} tensor ranks", count, what, l_.tensor),
            std::move(help));
  }

  void tensor() {
    divides("attention heads", m_.heads);
    if (m_.kv_heads != m_.heads)
      divides("key/value heads", m_.kv_heads, "choose tensor at most the number of key/value heads");
    divides("columns of the MLP", m_.ffn_hidden);
    divides("vocabulary rows", m_.vocab,
            fmt::format("pad it: with model.vocab_multiple: 128 it becomes {} (Megatron)",
                        padded_vocab(m_.vocab, l_.tensor)));
    if (l_.sequence_parallel && l_.tensor == 1)
      wrong("layout.sequence_parallel", "sequence parallel shards over the tensor ranks, and there is only one",
            "set layout.tensor above 1, or leave sequence_parallel out");
  }

  void experts() {
    const model::Experts& e = m_.experts;
    if (l_.tensor > 1 && !l_.sequence_parallel && e.count == 0 && (m_.latent() || m_.prediction_layers > 0))
      wrong("layout.sequence_parallel",
            "latents, and what predicts further tokens, are made on every tensor rank of tokens of its own",
            "layout: {sequence_parallel: true}");
    const int ranks = l_.tensor * l_.context * l_.data, of_experts = l_.expert * l_.expert_tensor;
    for (const auto& [name, degree] : {std::pair{"expert", l_.expert}, std::pair{"expert_tensor", l_.expert_tensor}})
      if (e.count == 0 && degree > 1)
        wrong(fmt::format("layout.{}", name), fmt::format("{} has no experts to split", m_.name),
              "leave it out, or choose a model with experts (model.experts)");
    if (e.count == 0) return;
    if (l_.expert > e.count)
      wrong("layout.expert", fmt::format("{} is more ranks than the {} experts of {}", l_.expert, e.count, m_.name),
            "choose a divisor of the number of experts; layout.expert_tensor shares each among more ranks");
    else if (e.count % l_.expert != 0)
      wrong("layout.expert", fmt::format("{} experts do not divide over {} ranks", e.count, l_.expert),
            "choose a divisor of the number of experts");
    if (e.hidden % l_.expert_tensor != 0)
      wrong("layout.expert_tensor",
            fmt::format("columns of an expert, {}, do not divide over {} ranks", e.hidden, l_.expert_tensor),
            "fine experts are best left whole: layout.expert_tensor: 1");
    divides("columns of the shared experts", e.shared_hidden);
    if (ranks % of_experts != 0)
      wrong("layout.expert",
            fmt::format("expert {} · expert_tensor {} do not divide the {} ranks of a stage (tensor · context · data)",
                        l_.expert, l_.expert_tensor, ranks),
            "experts stand on the ranks of a stage grouped anew: choose divisors of their number");
    else if (!pipeline_coincides())
      wrong("layout.order", fmt::format("'{}' puts the stages elsewhere for the experts than for the rest", l_.order),
            "let the order end in pp: tp-cp-ep-dp-pp");
    if (l_.shard_degree > 0 && ranks % of_experts == 0 && l_.expert_data() % l_.replicas() != 0)
      wrong("layout.shard_degree",
            fmt::format("the {} ranks that hold the same experts do not divide into {} copies of the shards",
                        l_.expert_data(), l_.replicas()),
            "choose a larger shard_degree, or a smaller layout.expert");
    if (l_.tensor > 1 && !l_.sequence_parallel)
      wrong("layout.sequence_parallel", "experts behind tensor parallelism need each rank to have tokens of its own",
            "layout: {sequence_parallel: true}");
  }

  // The stages stand on the same ranks in the grid of the experts.
  bool pipeline_coincides() const {
    const auto order = *read_order(l_.order);
    int dense = 1, experts = 1;
    for (const Dimension d : order) {
      if (d == Dimension::pipeline) break;
      if (!facts(d).folded) dense *= l_.*facts(d).degree;
    }
    for (const Dimension d : expert_order(order)) {
      if (d == Dimension::pipeline) break;
      experts *= expert_degree(l_, d);
    }
    return dense == experts;
  }

  void sequence() {
    if (l_.context > 1 && m_.attention_window > 0 && m_.attention_window < s_)
      wrong("layout.context",
            fmt::format("windows of {} positions are not described over context ranks", m_.attention_window),
            "set layout.context to 1, or choose sequences no longer than the window");
    const bool relative = m_.position == model::Position::relative || m_.position == model::Position::relative_bias;
    if (l_.context > 1 && relative)
      wrong("layout.context", "relative positions are not described over context ranks", "set layout.context to 1");
    else if (l_.context > 1 && m_.has_two_stacks())
      wrong("layout.context", "cross-attention is not described over context ranks", "set layout.context to 1");
    if (of_decoder_ > 0 && l_.sequence_parallel && of_decoder_ % l_.tensor != 0)
      wrong("layout.sequence_parallel",
            fmt::format("{} positions of the decoder do not divide over {} tensor ranks", of_decoder_, l_.tensor));
    if (s_ == 0) return;
    // A causal ring is balanced by giving each rank two chunks, one from either end.
    const bool causal = m_.kind == model::ModelKind::decoder;
    if (l_.context > 1 && s_ % ((causal ? 2 : 1) * l_.context) != 0)
      wrong("layout.context",
            fmt::format("a sequence of {} does not divide into {}{} chunks", s_, causal ? "2 · " : "", l_.context));
    else if (l_.sequence_parallel && s_ / l_.context % l_.tensor != 0)
      wrong("layout.sequence_parallel",
            fmt::format("{} positions a rank do not divide over {} tensor ranks", s_ / l_.context, l_.tensor));
  }

  void sharding() {
    const int ranks = l_.gradient_ranks();
    if (l_.shard_degree < 0 || (l_.shard_degree > 0 && ranks % l_.shard_degree != 0))
      wrong("layout.shard_degree", fmt::format("{} does not divide the {} ranks that share gradients (data · context)",
                                               l_.shard_degree, ranks));
    if (l_.shard_degree > 0 && l_.zero == Zero::none)
      wrong("layout.shard_degree", "nothing is sharded with layout.zero: none",
            "set layout.zero to what is (parameters = HSDP), or leave shard_degree out");
  }

  void batch() {
    if (l_.batch_split == BatchSplit::explicit_counts) counts();
    if (l_.unlike_micro_batches().empty() || l_.data == 1) return;
    const std::string beside = "replicas of unlike numbers of micro-batches meet once a step: ";
    if (l_.shards_gradients())
      wrong("layout.zero", beside + "gradients that are sharded are reduced in each of them",
            "layout: {zero: optimizer}, or {batch_split: even}");
    if (m_.experts.count > 0 && experts_join_replicas())
      wrong("layout.expert", beside + "experts that several share are called in each of them",
            "let an expert group be no larger than tensor · context, or say layout: {batch_split: even}");
  }

  void counts() {
    const std::vector<std::int64_t>& counts = l_.micro_batches_per_replica;
    if (std::ssize(counts) != l_.data)
      wrong("layout.micro_batches_per_replica",
            fmt::format("lists {} replicas, and there are {} (layout.data)", counts.size(), l_.data),
            "batch_split explicit has a number for each replica; balanced chooses them");
    for (std::size_t i = 0; i < counts.size(); ++i)
      if (counts[i] < 1)
        wrong(fmt::format("layout.micro_batches_per_replica[{}]", i),
              fmt::format("{} is no number of micro-batches: at least 1", counts[i]),
              "a replica without work is none: take its GPUs out of the run");
  }

  bool experts_join_replicas() const {
    if (!errors_.empty()) return false;  // the grid may not be one
    const RankGrid grid(l_);
    for (int rank = 0; rank < l_.ranks(); ++rank) {
      const Coordinates at = grid.coordinates(rank);
      for (const DimensionFacts& d : kDimensionList)
        if (d.folded)
          for (const int other : grid.group(at, d.dimension))
            if (grid.coordinates(other)[Dimension::data] != at[Dimension::data]) return true;
    }
    return false;
  }

  const model::ModelSpec& m_;
  const Layout& l_;
  std::int64_t s_, of_decoder_;
  Diagnostics errors_;
};

}  // namespace

Diagnostics check_layout(const model::ModelSpec& spec, const Layout& layout, const model::Lengths& lengths) {
  return Checker(spec, layout, lengths).run();
}

std::int64_t padded_vocab(std::int64_t vocab, int tensor, std::int64_t multiple) {
  return ceil_div(vocab, multiple * tensor) * multiple * tensor;
}

}  // namespace orrery::layout
