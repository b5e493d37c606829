#include "drawn.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <initializer_list>
#include <vector>

#include "orrery/core/random.hpp"
#include "orrery/cost/stack.hpp"
#include "orrery/schedule/schedule.hpp"

namespace orrery::testing {
namespace {

// One attempt: a text that says most keys, with values that fit each other as far as a few lines can see to it.
class Draft {
 public:
  Draft(Random random, std::string stack, const schedule::ScheduleKind& kind)
      : random_(random), kind_(kind), choices_{{"stack", std::move(stack)}, {"schedule", kind.name}} {
    do {
      for (int* degree : {&tensor_, &context_, &pipeline_, &data_}) *degree = 1 << random_.below(3);
    } while (ranks() > 16);
    if (pipeline_ == 1 && one_in(2)) pipeline_ = 2 + static_cast<int>(random_.below(2));
    virtual_ = kind.chunks > 0 ? kind.chunks : static_cast<int>(random_.between(2, 3));
    if (one_in(2)) expert_ = expert_degree();
    if (data_ > 1 && one_in(3))
      for (int replica = 0; replica < data_; ++replica) rounds_.push_back(static_cast<int>(random_.between(1, 3)));
  }

  std::string text() {
    return model() + cluster() + layout() + training() + stack() +
           fmt::format("schedule: {{type: {}{}{}}}\n", kind_.name, maybe("group", {"1", "2", "4"}),
                       std::string_view(kind_.name) == "zb_auto" ? maybe("memory_cap", {"2", "4", "8"}) : "") +
           network() + placement();
  }
  const std::map<std::string, std::string>& choices() const { return choices_; }

 private:
  using Values = std::initializer_list<const char*>;

  int ranks() const { return tensor_ * context_ * pipeline_ * data_; }
  int expert_degree() {
    int degree = 1 << random_.below(4);
    while (ranks() / pipeline_ % degree != 0) degree /= 2;
    return degree;
  }
  bool one_in(std::uint64_t n) { return random_.below(n) == 0; }
  const char* any(Values values) { return values.begin()[random_.below(values.size())]; }
  // ", key: one of the values", or nothing: the default.
  std::string maybe(const char* key, Values values) {
    return one_in(2) ? std::string() : fmt::format(", {}: {}", key, any(values));
  }
  std::string choose(const char* what, Values values) { return choices_[what] = any(values); }

  std::string model() {
    const int stages = pipeline_ * virtual_, layers = stages * static_cast<int>(random_.between(1, 2));
    std::string text = fmt::format(
        "model: {{type: {}, layers: {}, hidden: 256, heads: 8, kv_heads: {}, head_dim: 32, ffn_hidden: 768, vocab: "
        "1024",
        any({"gpt3-125m", "llama3.1-8b", "bloom-176b"}), layers, any({"8", "4"}));
    if (expert_ > 0)
      text += fmt::format(", experts: {{count: 8, top_k: 2, hidden: 256{}{}}}", maybe("shared", {"1"}),
                          maybe("first_dense", {"1"}));
    text += maybe("position", {"learned", "rotary", "alibi", "none"}) + maybe("activation", {"swiglu", "squared_relu"});
    return text + maybe("dropout", {"true", "false"}) + maybe("tied_embeddings", {"true", "false"}) + "}\n";
  }

  std::string cluster() {
    const int per_node = one_in(3) ? 4 : 8, nodes = (ranks() + per_node - 1) / per_node;
    std::string text =
        fmt::format("cluster: {{type: {}, nodes: {}, gpus_per_node: {}, gpus: {}",
                    any({"dgx-h100", "selene", "hgx-b200", "hgx-mi300x", "gcp-a3-mega", "jean-zay-a100"}), nodes,
                    per_node, ranks());
    if (nodes > 1) text += fmt::format(", scale_out: {{nics_per_node: {}}}", any({"2", "4"}));
    text += "}\n";
    if (!one_in(3)) return text;
    return text + fmt::format("perturb: [{{{}, {}}}]\n",
                              one_in(2) ? fmt::format("device: {}", random_.below(static_cast<std::uint64_t>(ranks())))
                                        : fmt::format("node: {}", nodes - 1),
                              any({"compute_factor: 0.7", "bandwidth_factor: 0.4", "compute_factor: 1.3"}));
  }

  std::string layout() {
    std::string text = fmt::format("layout: {{tensor: {}, context: {}, pipeline: {}, data: {}, virtual: {}", tensor_,
                                   context_, pipeline_, data_, virtual_);
    text += fmt::format(", zero: {}", any({"none", "optimizer", "gradients", "parameters"}));
    if (tensor_ > 1) text += maybe("sequence_parallel", {"true", "false"});
    if (expert_ > 0) text += fmt::format(", expert: {}, expert_tensor: {}", expert_, any({"1", "2"}));
    if (data_ > 2) text += maybe("shard_degree", {"0", "2"});
    if (one_in(3)) text += fmt::format(", order: {}", any({"dp-tp-cp-pp", "pp-tp-cp-dp", "tp-pp-dp-cp"}));
    text += maybe("partition", {"even", "balanced", "cost_shares", "ends_count_as_layers"});
    if (rounds_.empty()) return text + "}\n";
    if (one_in(2)) return text + ", batch_split: balanced}\n";
    std::vector<int> counts;
    for (const int rounds : rounds_) counts.push_back(rounds * pipeline_ * kind_.copies);
    return text + fmt::format(", batch_split: explicit, micro_batches_per_replica: [{}]}}\n", fmt::join(counts, ", "));
  }

  std::string training() {
    const int micro_batch = static_cast<int>(random_.between(1, 2));
    int rounds = rounds_.empty() ? data_ * static_cast<int>(random_.between(1, 2)) : 0;
    for (const int of_replica : rounds_) rounds += of_replica;
    std::string text = fmt::format("training: {{sequence_length: {}, global_batch: {}, micro_batch: {}",
                                   any({"128", "512"}), micro_batch * pipeline_ * kind_.copies * rounds, micro_batch);
    text += maybe("precision", {"bf16", "fp16", "fp32", "fp8", "mxfp8", "nvfp4"}) +
            maybe("attention", {"flash", "unfused"});
    text += maybe("recompute", {"selective", "selective_op", "full", "alternate_layers"});
    if (text.ends_with("full") && micro_batch == 2)
      text += fmt::format(", recompute_method: {}, recompute_num_layers: 2", data_ > 1 ? "block" : "uniform");
    for (const char* key : {"overlap_data", "overlap_tensor", "overlap_context"}) text += maybe(key, {"true", "false"});
    return text + maybe("compiled", {"true", "false"}) + "}\n";
  }

  std::string stack() {
    std::string launch = fmt::format("mode: {}", choose("launch", {"eager", "graph", "blocking"}));
    for (const char* key : {"per_kernel", "per_kernel_backward", "per_collective", "per_collective_rank"})
      launch += maybe(key, {"0 s", "2 us", "9 us"});
    launch += maybe("per_micro_batch", {"0 s", "30 us"}) + maybe("per_step", {"0 s", "500 us"});
    std::string talk = fmt::format("messages: {}", choose("messages", {"asynchronous", "serialised", "blocking"}));
    for (const char* key : {"tensor_slowdown_percent", "context_slowdown_percent", "data_slowdown_percent"})
      talk += maybe(key, {"100", "107", "150"});
    for (const char* key : {"overlap_gather", "scatter_gather_messages", "regather_in_backward", "reshard_in_pipeline",
                            "embedding_reduce"})
      talk += maybe(key, {"true", "false"});
    talk += maybe("context_exchange", {"ring", "all_gather", "all_to_all"}) +
            maybe("pass_overlap_percent", {"0", "60", "100"});
    talk +=
        maybe("bucket", {"0 B", "1 MB"}) + maybe("prefetch", {"0", "1", "2"}) + maybe("network_step", {"0 s", "5 us"});
    std::string optimizer = maybe("post_validation", {"never", "split_backward", "always"});
    optimizer += maybe("reduce_buffer_elements", {"0", "100000"});
    std::string text =
        fmt::format("stack: {{type: {}, launch: {{{}}}, communication: {{{}}}", choices_["stack"], launch, talk);
    if (!optimizer.empty()) text += fmt::format(", optimizer: {{{}}}", optimizer.substr(2));
    if (expert_ > 0)
      text += fmt::format(", experts: {{available: true, dispatcher: {}}}",
                          choose("dispatcher", {"all_to_all", "all_gather", "deepep", "hybridep"}));
    return text + "}\n";
  }

  std::string network() {
    std::string text = fmt::format("network: {{mode: {}", choose("network", {"ideal", "steady", "flows"}));
    return text + maybe("algorithm", {"ring", "tree", "direct", "hierarchical", "two_level", "pat", "nvls"}) +
           maybe("protocol", {"simple", "ll", "ideal"}) + "}\n";
  }

  std::string placement() {
    if (!one_in(3)) return {};
    return fmt::format("placement: {{type: {}, seed: {}}}\n", any({"by_rail", "round_robin", "random"}),
                       random_.below(100));
  }

  Random random_;
  const schedule::ScheduleKind& kind_;
  std::map<std::string, std::string> choices_;
  int tensor_ = 1, context_ = 1, pipeline_ = 1, data_ = 1, virtual_ = 1;
  int expert_ = 0;           // 0 = no experts
  std::vector<int> rounds_;  // of each replica, where they may be unlike: micro-batches over those of a round
};

}  // namespace

Drawn draw_scenario(std::uint64_t seed, int i) {
  static const std::vector<std::string> stacks = cost::stack_names();
  const auto& kinds = schedule::schedule_kinds();
  const auto turn = static_cast<std::size_t>(i);
  constexpr std::uint64_t kMostTries = 1000;
  std::string why;
  for (std::uint64_t attempt = 0; attempt < kMostTries; ++attempt) {
    Draft draft(Random(seed).fork(turn * kMostTries + attempt), stacks[turn % stacks.size()],
                kinds[turn % kinds.size()]);
    const std::string text = draft.text();
    Result<scenario::Scenario> scenario = scenario::read_scenario_text(text, "drawn.yaml");
    if (scenario.ok()) return {text, draft.choices(), std::move(scenario).value()};
    why = text + render(scenario.errors());
  }
  FAIL("no scenario came of any draw: " << why);
  return {};
}

int draws(int usual) {
  const char* number = std::getenv("ORRERY_DRAWS");
  return number != nullptr ? usual * std::atoi(number) / 408 : usual;
}

}  // namespace orrery::testing
