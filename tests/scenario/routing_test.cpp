// Loads and capacities of experts, from the keys of a scenario to its step.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "simulated.hpp"

namespace orrery::scenario::routing_test {
namespace {

std::string text_of(const std::string& layout, const std::string& training, const std::string& more = "") {
  return fmt::format(
      "model: {{layers: 4, hidden: 512, heads: 8, ffn_hidden: 1024, vocab: 32000, position: rotary, activation: "
      "swiglu, "
      "norm: rms_norm, bias: false, tied_embeddings: false, dropout: false, experts: {{count: 16, top_k: 2, hidden: "
      "256, first_dense: 1}}}}\ncluster: {{type: dgx-h100, nodes: 1}}\nlayout: {{{}}}\ntraining: {{sequence_length: "
      "1024, global_batch: 16{}}}\n{}",
      layout, training, more);
}

// A file of its own for each text; gone with the test.
struct LoadsFile {
  explicit LoadsFile(const std::string& text)
      : path((std::filesystem::temp_directory_path() /
              fmt::format("orrery_loads_{}.csv", std::hash<std::string>()(text)))
                 .string()) {
    std::ofstream(path) << text;
  }
  ~LoadsFile() { std::filesystem::remove(path); }
  std::string path;
};

std::string loads_text(std::int64_t layers, std::int64_t count, std::int64_t first_dense, std::int64_t full,
                       std::int64_t rest) {
  std::string text = "layer,expert,load\n";
  for (std::int64_t layer = first_dense; layer < layers; ++layer)
    for (std::int64_t e = 0; e < count; ++e)
      text += fmt::format("{},{},{}\n", layer, e, e == (5 + 4 * layer) % count ? full : rest);
  return text;
}

std::string refusal(const std::string& text) {
  const auto scenario = read_scenario_text(text, "test.yaml");
  return scenario.ok() ? std::string() : render(scenario.errors());
}

bool says(const std::string& error, const char* part) {
  CAPTURE(error);
  return error.find(part) != std::string::npos;
}

}  // namespace

// Experts 14 and 15, all that the last of 8 ranks holds, are given nothing.
TEST_CASE("a rank may be given no rows at all") {
  std::string csv = "layer,expert,load\n";
  for (int layer = 1; layer < 4; ++layer)
    for (int e = 0; e < 16; ++e) csv += fmt::format("{},{},{}\n", layer, e, e < 14 ? 1 : 0);
  const LoadsFile file(csv);
  for (const char* more : {"", ", recompute: full", ", recompute: selective, recompute_modules: [moe]"}) {
    const std::string text = text_of("data: 8, expert: 8", fmt::format(", routing: {{file: '{}'}}{}", file.path, more));
    const report::RunResult folded = simulated(text), unfused = simulated(text, RunOptions{.fuse = false});
    CHECK(folded.timeline_hash == unfused.timeline_hash);
    CHECK(folded.experts.load_factor == doctest::Approx(8.0 / 7).epsilon(0.01));
  }
}

TEST_CASE("balanced routing is what runs without the key, to the byte") {
  const report::RunResult none = simulated(text_of("data: 8, expert: 8", "")),
                          said = simulated(text_of("data: 8, expert: 8", ", routing: balanced"));
  CHECK(none.timeline_hash == said.timeline_hash);
  CHECK(none.memory[0].peak == said.memory[0].peak);
  CHECK(!said.experts.there);
}

// The fold tells ranks of unlike loads apart; the rest of a team waits for them in each call.
TEST_CASE("unlike loads give the same however they are played, and their books balance") {
  for (const char* layout :
       {"data: 8, expert: 4", "tensor: 2, sequence_parallel: true, data: 4, expert: 4, expert_tensor: 2",
        "pipeline: 2, data: 4, expert: 4, zero: optimizer", "data: 8, expert: 2, zero: parameters",
        "pipeline: 2, virtual: 1, data: 4, expert: 2, partition: explicit, layers_per_stage: [3, 1]"})
    for (const char* training :
         {", routing: {power_law: 1.2}", ", routing: {power_law: 1.01, seed: 3}, capacity: 1.25, recompute: full",
          ", routing: {power_law: 1.2}, capacity: 1.5, pad_to_capacity: true",
          ", routing: {power_law: 1.2}, recompute: selective, recompute_modules: [moe]", ", capacity: 0.5"}) {
      const std::string text = text_of(layout, training);
      CAPTURE(text);
      const report::RunResult folded = simulated(text);
      for (const RunOptions& how : {RunOptions{.every_rank = true}, RunOptions{.fuse = false}}) {
        const report::RunResult played = simulated(text, how);
        CHECK(played.timeline.makespan == folded.timeline.makespan);
        CHECK(played.timeline_hash == folded.timeline_hash);
      }
      CHECK(folded.experts.there);
    }
}

TEST_CASE("unlike loads cost time and memory, and the report says how much") {
  const std::string layout = "data: 8, expert: 8";
  const report::RunResult even = simulated(text_of(layout, "")),
                          law = simulated(text_of(layout, ", routing: {power_law: 1.2}"));
  CHECK(law.experts.load_factor > 1.5);
  CHECK(law.experts.balanced == even.timeline.step_time);
  CHECK(law.experts.balanced_memory.value == even.memory[0].peak);
  CHECK(law.timeline.step_time > even.timeline.step_time);
  CHECK(law.flops.model.linear == even.flops.model.linear);
  CHECK(law.flops.executed.linear == even.flops.executed.linear);
  const std::string text = report::to_text(law, {});
  CHECK(text.find(fmt::format("Expert loads: the fullest rank of an expert group is given {:.2f} times the mean",
                              law.experts.load_factor)) != std::string::npos);
  CHECK(text.find("than with balanced loads") != std::string::npos);
  CHECK(report::to_text(even, {}).find("Expert loads") == std::string::npos);
}

// Of 2048 copies to 16 experts, half: ⌈0.5 · 128⌉ = 64 rows an expert. Three layers have experts: of their products, 6
// · 3 · 512 · 256 FLOPs a copy, half is run. Padded to twice the share twice as many are.
TEST_CASE("what is dropped is not run, and padding is") {
  const WideFlops of_copies = WideFlops{6} * 3 * 512 * 256 * 3 * 16 * 2048;
  const auto run = [](const char* training) {
    return simulated(text_of("data: 8, expert: 8", training,
                             "stack: {type: megatron-2025-moe, launch: {mode: graph, per_step: 0 s}}\n"));
  };
  const report::RunResult all = run(""), half = run(", capacity: 0.5"),
                          twice = run(", capacity: 2, pad_to_capacity: true");
  CHECK(half.flops.model.linear == all.flops.model.linear);
  CHECK((all.flops.executed.linear - half.flops.executed.linear == of_copies / 2));
  CHECK((twice.flops.executed.linear - all.flops.executed.linear == of_copies));
  CHECK(half.experts.dropped == doctest::Approx(0.5));
  CHECK(twice.experts.dropped == 0);
  CHECK(half.timeline.step_time < all.timeline.step_time);
  CHECK(twice.timeline.step_time > all.timeline.step_time);
  CHECK(twice.memory[0].peak > all.memory[0].peak);
}

// 64 ranks of one switch, an expert each, T = 256 tokens a rank to 2 of 64 experts; h = m = 256. Each rank sends 134 of
// its 512 copies to one expert, another in each of 2 layers, and 6 to each other: the fullest rank is given 64 · 134 =
// 8576 rows (134 blocks of 64), the mean is 512 · 1. Products run at P FLOP/s and all else of the GPU takes no time;
// links move B bytes/s without latency. The step is
//   products of a rank      6 · T · (2 · (4 h² + E h) + h V) / P
//   attention               (4 + 10) · T² · h · 3/4 · 2 / P     (blocks of 128: (2 + 1) / (2 · 2) of them are run)
//   experts, fullest rank   6 · 3 h m · 8576 · 2 / P
//   exchange, fullest rank  of 8576 rows 63/64 come from others: 2 ways forward and 2 backward, 2 h bytes a row, and 4
//                           with its weight in two of the four; twice
//   gradients               4 bytes of all but experts, 2 · 63/64 of them
TEST_CASE("the step of 64 ranks with loads from a file, by hand") {
  const LoadsFile file(loads_text(2, 64, 0, 134, 6));
  const auto text = [&](const std::string& routing) {
    return fmt::format(
        "model: {{layers: 2, hidden: 256, heads: 4, ffn_hidden: 256, vocab: 1024, position: rotary, activation: "
        "swiglu, "
        "norm: rms_norm, bias: false, tied_embeddings: false, dropout: false, experts: {{count: 64, top_k: 2, hidden: "
        "256}}}}\ncluster: {{type: gb200-nvl72, nodes: 16}}\nlayout: {{expert: 64}}\ntraining: {{sequence_length: 256, "
        "global_batch: 64, overlap_data: false, attention: flash{}}}\nstack: {{type: megatron-2025-moe, kernels: "
        "{{matrix_rate: 1}}, launch: "
        "{{mode: "
        "graph, per_step: 0 s}}}}\nnetwork: {{mode: ideal, algorithm: direct, protocol: ideal}}\n",
        routing);
  };
  constexpr double kPeak = 1e12, kBandwidth = 64e9;
  const auto step = [&](const std::string& routing, const RunOptions& how = {}) {
    auto s = read_scenario_text(text(routing), "test.yaml");
    REQUIRE_MESSAGE(s.ok(), render(s.errors()));
    for (FlopsPerSecond& peak : s->gpu.dense_peak) peak = {static_cast<std::int64_t>(kPeak)};
    s->gpu.multiprocessors = 1;
    s->gpu.memory_bandwidth = {1'000'000'000'000'000'000};
    s->cluster.scale_up.bandwidth = {static_cast<std::int64_t>(kBandwidth)};
    s->cluster.scale_up.latency = {};
    cost::KernelModel& k = s->kernels;
    k.sustained = k.fp8_sustained = 1;
    k.gemm = {};
    k.gemm.rate = {1, 1, 1, 1, 1, 1};
    k.gemm.wave_smoothing = 1;
    k.memory = {};
    for (cost::AttentionKernels& a : k.attention)
      for (cost::AttentionModel* m : {&a.forward, &a.backward}) *m = {1, 1, 1, 128, 1, {}, {}, 0};
    auto run = resolve_and_simulate(*s, how);
    REQUIRE_MESSAGE(run.ok(), render(run.errors()));
    CHECK(run->books == std::vector<std::string>{});
    return std::move(run).value();
  };
  constexpr double T = 256, h = 256, m = 256, E = 64, V = 1024;
  const auto by_hand = [&](double rows) {
    const double products = 6 * T * (2 * (4 * h * h + E * h) + h * V) + 14 * T * T * h * 0.75 * 2;
    const double experts = 6 * 3 * h * m * rows * 2;
    const double exchange = rows * 63 / 64 * (4 * 2 * h + 2 * 4) * 2;
    const double parameters = 2 * V * h + 2 * (4 * h * h + E * h + 2 * h) + h;
    return (products + experts) / kPeak + (exchange + 2 * 63. / 64 * 4 * parameters) / kBandwidth;
  };
  const report::RunResult loaded = step(fmt::format(", routing: {{file: '{}'}}", file.path)), even = step("");
  CHECK(seconds(even.timeline.step_time) == doctest::Approx(by_hand(512)).epsilon(1e-4));
  CHECK(seconds(loaded.timeline.step_time) == doctest::Approx(by_hand(8576)).epsilon(1e-4));
  CHECK(loaded.experts.load_factor == doctest::Approx(8576. / 512));
  CHECK(loaded.program.devices.size() == 3);  // the fullest of either layer, and 62 others
  CHECK(step(fmt::format(", routing: {{file: '{}'}}", file.path), {.every_rank = true}).timeline.step_time ==
        loaded.timeline.step_time);
}

// Two nodes of two GPUs, each node with one NIC of 50 GB/s; NVLink is nine times as fast and nothing has latency. Each
// of the four ranks has 256 tokens for one of four experts, an expert a rank: 160 of its copies go to the first, 32 to
// each other. Of a row of 256 · 2 bytes, the NIC of the first node lets in 2 · (160 + 32) from the two ranks of the
// other (out of it 2 · (32 + 32)), in 384 · 512 / 50e9 s = 3 932 160 ps; the way home leaves through it as long. The
// weights that travel out are 4 bytes a row, 30 720 ps. Sent as if each rank were given as much as the first it were
// 2 · 2 · 160 rows. Sent in all, of four ranks' 3 · 256 rows: all but those that stay.
TEST_CASE("four ranks with loads from a file send each other what they have for them, to the picosecond") {
  const LoadsFile file("layer,expert,load\n0,0,160\n0,1,32\n0,2,32\n0,3,32\n");
  const auto run = [&](const char* mode, const RunOptions& how) {
    auto s = read_scenario_text(
        fmt::format("model: {{layers: 1, hidden: 256, heads: 4, ffn_hidden: 256, vocab: 1024, position: rotary, "
                    "activation: swiglu, norm: rms_norm, bias: false, tied_embeddings: false, dropout: false, experts: "
                    "{{count: 4, top_k: 1, hidden: 256}}}}\ncluster: {{type: dgx-h100, nodes: 2, gpus_per_node: 2, "
                    "scale_out: {{nics_per_node: 1, fat_tree: {{leaves_per_unit: 1}}}}}}\nlayout: {{expert: "
                    "4}}\ntraining: {{sequence_length: 256, "
                    "global_batch: 4, overlap_data: false, attention: flash, routing: {{file: '{}'}}}}\nstack: {{type: "
                    "megatron-2025-moe, launch: {{mode: graph, per_step: 0 s}}}}\nnetwork: {{mode: {}, algorithm: "
                    "direct, protocol: ideal}}\n",
                    file.path, mode),
        "test.yaml");
    REQUIRE_MESSAGE(s.ok(), render(s.errors()));
    s->cluster.scale_up.bandwidth = {450'000'000'000};
    s->cluster.scale_up.latency = s->cluster.scale_out.nic_latency = s->cluster.scale_out.switch_latency = {};
    auto played = resolve_and_simulate(*s, how);
    REQUIRE_MESSAGE(played.ok(), render(played.errors()));
    CHECK(played->books == std::vector<std::string>{});
    return std::move(played).value();
  };
  for (const char* mode : {"ideal", "steady", "flows"}) {
    CAPTURE(mode);
    const report::RunResult played = run(mode, {.fuse = false});
    std::map<std::string, std::set<std::int64_t>> took;
    for (program::TaskId t = 0; t < played.program.tasks(); ++t)
      took[played.program.template_of(t).name].insert(played.timeline.end[t] - played.timeline.start[t]);
    CHECK(took["dispatch"] == std::set<std::int64_t>{3'932'160});
    CHECK(took["combine"] == std::set<std::int64_t>{3'932'160});
    CHECK(took["dispatch.weights"] == std::set<std::int64_t>{30'720});
  }
}

TEST_CASE("loads that are wrong are refused at their place") {
  const auto with = [&](const std::string& csv) {
    const LoadsFile file(csv);
    return refusal(text_of("data: 8, expert: 8", fmt::format(", routing: {{file: '{}'}}", file.path)));
  };
  const std::string good = loads_text(4, 16, 1, 2, 1);
  CHECK(with(good).empty());
  CHECK(says(with("layer,expert\n1,0\n"), "training.routing.file: "));
  CHECK(says(with("layer,expert\n1,0\n"), "has no column 'load'"));
  CHECK(says(with(good + "1,0,1\n"), ".csv:50:3: expert: expert 0 of layer 1 is there twice"));
  CHECK(says(with(good + "0,0,1\n"), "has no experts"));
  CHECK(says(with(good + "1,16,1\n"), "'16' is none of the 16 experts"));
  CHECK(says(with(good + "4,1,1\n"), "'4' is none of the 4 layers"));
  CHECK(says(with(good.substr(0, good.size() - 7) + "3,15,-1\n"), "'-1' is no load"));
  const std::string missing = with(good.substr(0, good.size() - 7));
  CHECK(says(missing, "expert 15 of layer 3 is missing"));
  CHECK(says(missing, "one that is given nothing has load 0"));
  const std::string unequal = with(good.substr(0, good.size() - 7) + "3,15,9\n");
  CHECK(says(unequal, "the loads of layer 3 sum to 25, those of layer 1 to 17"));
  CHECK(says(unequal, "let its loads sum to the copies of tokens, or to 1"));
  CHECK(says(with(loads_text(4, 16, 1, 100, 1)), "more than one copy of each token"));
  CHECK(says(refusal(text_of("data: 8, expert: 8", ", routing: {file: nowhere.csv}")), "training.routing.file: "));
}

TEST_CASE("what experts cannot have is refused with what they can") {
  const auto of = [](const std::string& layout, const std::string& training, const std::string& more = "") {
    return refusal(text_of(layout, training, more));
  };
  CHECK(says(of("data: 8, expert: 3", ""), "layout.expert: 16 experts do not divide over 3 ranks"));
  CHECK(says(of("data: 8, expert: 3", ""), "choose a divisor of the number of experts"));
  CHECK(says(of("data: 8, expert: 32", ""), "layout.expert: 32 is more ranks than the 16 experts of"));
  CHECK(says(refusal("model: {type: mixtral-8x7b, experts: {top_k: 9}}\ncluster: {type: dgx-h100, nodes: 1}\ntraining: "
                     "{sequence_length: 1024, global_batch: 8}\n"),
             "a token goes to 9 of 8 experts"));
  CHECK(says(of("data: 8", ", pad_to_capacity: true"), "there is no capacity to pad to"));
  CHECK(says(of("data: 8, expert: 8", ", capacity: 1, pad_to_capacity: true",
                "stack: {type: megatron-2025-moe, experts: {dispatcher: deepep}}\n"),
             "only all_to_all sends rows that are padding"));
  CHECK(says(of("data: 8", "", "stack: megatron-2022\n"), "stack: "));
  CHECK(says(of("data: 8", "", "stack: megatron-2022\n"), "runs no experts"));
  CHECK(says(of("data: 8", "", "stack: megatron-2022\n"), "choose a stack that does, such as megatron-2025-moe"));
  CHECK(of("data: 8", "", "stack: {type: megatron-2022, experts: {available: true}}\n").empty());
  CHECK(says(of("data: 8", ", routing: {power_law: 0}"), "training.routing.power_law"));
  CHECK(says(of("data: 8", ", routing: {power_law: 1.2, file: a.csv}"), "power_law cannot be given beside it"));
  CHECK(says(of("data: 8", ", routing: {type: balanced, power_law: 1.2}"), "are not beside balanced"));
}

TEST_CASE("a dispatcher that the cluster cannot have") {
  const auto of = [](const char* cluster, const char* layout, const char* dispatcher) {
    return refusal(fmt::format(
        "model: {{type: mixtral-8x7b, layers: 2}}\ncluster: {{type: {}, nodes: 2}}\nlayout: {{{}}}\ntraining: "
        "{{sequence_length: 1024, global_batch: 16, precision: {}}}\nstack: {{type: megatron-2025-moe, experts: "
        "{{dispatcher: {}}}}}\n",
        cluster, layout, std::string_view(cluster) == "dgx-1-v100" ? "fp16" : "bf16", dispatcher));
  };
  CHECK(of("dgx-h100", "expert: 8", "deepep").empty());
  CHECK(says(of("hgx-mi300x", "expert: 8", "deepep"),
             "stack.experts.dispatcher: DeepEP is for NVIDIA's GPUs of Ampere and later"));
  CHECK(says(of("hgx-mi300x", "expert: 8", "hybridep"), "all_to_all and all_gather are of every cluster"));
  CHECK(says(of("dgx-1-v100", "expert: 8", "deepep"), "is for NVIDIA's GPUs of Ampere and later"));
  CHECK(of("hgx-mi300x", "expert: 8", "all_to_all").empty());
  CHECK(of("hgx-mi300x", "expert: 1", "deepep").empty());  // nothing is sent
  CHECK(of("aws-p5", "expert: 8", "deepep").empty());      // within nodes
}

}  // namespace orrery::scenario::routing_test
