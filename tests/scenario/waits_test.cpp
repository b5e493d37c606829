// Waits of whole runs, against their splits.
#include <set>

#include "simulated.hpp"

namespace orrery::waits_test {

using program::Category;

namespace {

const char* const kRuns[] = {
    // A pipeline with messages, tensor groups inside its passes, a host that launches one kernel after the other.
    "model: gpt3-1.3b\ncluster: {type: selene, nodes: 1}\nlayout: {tensor: 2, pipeline: 4}\n"
    "training: {sequence_length: 2048, global_batch: 8, micro_batch: 1}\nstack: megatron-2022\n",
    "model: gpt3-1.3b\ncluster: {type: selene, nodes: 1}\nlayout: {tensor: 2, pipeline: 2, data: 2}\n"
    "training: {sequence_length: 2048, global_batch: 16, micro_batch: 1}\nstack: megatron-2022\nnetwork: flows\n",
    // Sharded over the data ranks, no pipeline.
    "model: gpt3-1.3b\ncluster: {type: selene, nodes: 1}\nlayout: {data: 8, zero: parameters}\n"
    "training: {sequence_length: 2048, global_batch: 16, micro_batch: 1}\nstack: torchtitan-2025\n",
};

}  // namespace

// Bubble and host are nothing but waits; of each kind of communication a device also has transfers of its own.
TEST_CASE("waits follow each other and sum to the split") {
  for (const char* text : kRuns) {
    const report::RunResult run = scenario::simulated(text);
    std::vector<program::DeviceIndex> all;
    for (program::DeviceIndex d = 0; d < run.program.devices.size(); ++d) all.push_back(d);
    const auto waits = engine::waits_of(run.program, run.timeline, all);
    for (const program::DeviceIndex d : all) {
      engine::Breakdown sum{};
      std::int64_t before = 0;
      for (const engine::Wait& w : waits[d]) {
        CHECK(w.begin >= before);
        CHECK(w.end > w.begin);
        before = w.end;
        sum[static_cast<std::size_t>(w.category)] += w.end - w.begin;
      }
      for (std::size_t c = 0; c < program::kCategories; ++c) CHECK(sum[c] <= run.split[d][c]);
      for (const Category c : {Category::bubble, Category::host})
        CHECK(sum[static_cast<std::size_t>(c)] == run.split[d][static_cast<std::size_t>(c)]);
    }
  }
}

// The parts of each pass say which layer of the model they work on, each of them in both passes.
TEST_CASE("parts of passes name each layer of their stage") {
  const report::RunResult run = scenario::simulated(kRuns[0]);
  std::set<std::pair<std::int32_t, bool>> seen;
  bool head = false, embedding = false;
  for (const program::PassPart& part : run.program.parts) {
    if (part.layer >= 0) seen.insert({part.layer, part.backward});
    head = head || part.layer == program::kHeadLayer;
    embedding = embedding || part.layer == program::kEmbeddingLayer;
    CHECK(part.end > part.start);
  }
  CHECK(seen.size() == 2 * 6);  // 24 layers on 4 stages
  CHECK(head);
  CHECK(embedding);
}

}  // namespace orrery::waits_test
