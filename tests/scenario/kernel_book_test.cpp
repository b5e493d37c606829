// What kernels lose against the peak: parts that add up, and that are what the cost model says.
#include "orrery/program/kernel_book.hpp"

#include "report/waterfall.hpp"
#include "simulated.hpp"

namespace orrery::kernel_book_test {

using program::Category;
using program::KernelLosses;

namespace {

std::string dense(const std::string& training = "") {
  return "model: gpt3-1.3b\ncluster: {type: selene, nodes: 1}\nlayout: {tensor: 2, pipeline: 4}\nstack: megatron-2022\n"
         "network: ideal\ntraining: {sequence_length: 2048, global_batch: 8, micro_batch: 1" +
         training + "}\n";
}

Int128 loss(const report::Waterfall& w, std::string_view key) {
  for (const report::Loss& l : w.losses)
    if (l.key == key) return l.time;
  FAIL(std::string(key));
  return 0;
}

}  // namespace

// The work of the Program is that of its kernels: nothing slows them here, so the book has all of it.
TEST_CASE("the times of the kernels are the compute of the split") {
  for (const char* training : {"", ", recompute: full", ", recompute: selective", ", precision: fp32"}) {
    const report::RunResult run = scenario::simulated(dense(training));
    const report::Metrics m = report::metrics_of(run);
    const program::KernelBook& book = run.kernels;
    CHECK(book.products.time + book.attention.time + book.memory_bound ==
          m.total[static_cast<std::size_t>(Category::compute)]);
    CHECK(book.products.flops + book.attention.flops == run.flops.executed.total() - run.flops.again.total());
    for (const KernelLosses* t : {&book.products, &book.attention}) {
      CHECK(t->time >= t->at_full_clock);
      CHECK(t->at_full_clock >= t->at_full_rate);
    }
  }
}

// Products of experts too. The stack's factor on the rate of products is one on each format.
TEST_CASE("products of eight and four bits are in the book, the fewer bits the faster") {
  const auto products = [](const std::string& precision, const char* rate) {
    const report::RunResult run = scenario::simulated(
        "model: {type: mixtral-8x7b, layers: 2}\ncluster: {type: dgx-b200, nodes: 1}\nlayout: {data: 8, expert: 8}\n"
        "stack: {type: nemo-2026, kernels: {matrix_rate: " +
        std::string(rate) +
        "}}\nnetwork: ideal\ntraining: {sequence_length: 4096, global_batch: 8, precision: " + precision + "}\n");
    const KernelLosses& book = run.kernels.products;
    CHECK(book.at_full_rate > 0);
    CHECK(book.time >= book.at_full_clock);
    CHECK(book.at_full_clock >= book.at_full_rate);
    CHECK(book.flops + run.kernels.attention.flops == run.flops.executed.total() - run.flops.again.total());
    return book;
  };
  const KernelLosses bf16 = products("bf16", "1"), mxfp8 = products("mxfp8", "1"), fp8 = products("fp8", "1"),
                     nvfp4 = products("nvfp4", "1");
  CHECK(bf16.time > mxfp8.time);
  CHECK(mxfp8.time > fp8.time);
  CHECK(fp8.time > nvfp4.time);
  CHECK(mxfp8.at_full_rate == fp8.at_full_rate);  // scales of blocks are no matter of the peak
  for (const char* precision : {"fp8", "mxfp8", "nvfp4"})
    CHECK(products(precision, "0.8").time > products(precision, "1").time);
}

TEST_CASE("the waterfall goes from all the GPUs could do to the MFU, to the picosecond") {
  for (const char* more : {"", "perturb: [{device: 3, compute_factor: 0.5}]\n"}) {
    const report::RunResult run = scenario::simulated(dense() + more);
    const report::Metrics m = report::metrics_of(run);
    const report::Waterfall w = report::waterfall_of(run);
    CHECK(w.whole == Int128{8} * run.timeline.step_time.value);
    Int128 left = w.whole;
    for (const report::Loss& l : w.losses) left -= l.time;
    CHECK(left == w.model);
    CHECK(static_cast<double>(w.model) / static_cast<double>(w.whole) == doctest::Approx(m.mfu).epsilon(1e-9));
    CHECK(loss(w, "bubble") == m.total[static_cast<std::size_t>(Category::bubble)]);
    CHECK(loss(w, "tensor_comm") == m.total[static_cast<std::size_t>(Category::tensor_comm)]);
    // GPU 3 at half of its speed: its kernels, a stage and a tensor rank of eight, take as long again, rounded up.
    const Int128 slowed = loss(w, "slowed");
    if (std::string_view(more).empty()) CHECK(slowed == 0);
    if (!std::string_view(more).empty()) {
      CHECK(slowed * 10 > w.whole / 8);
      CHECK(slowed < w.whole / 8);
    }
    // What is printed adds up, too.
    std::int64_t tenths = 0;
    const std::vector<std::int64_t> all = report::tenths_of(w);
    for (std::size_t i = 0; i + 1 < all.size(); ++i) tenths += all[i];
    CHECK(tenths + all.back() == 1000);
    CHECK(all.back() == static_cast<std::int64_t>(m.mfu * 1000 + 0.5));
  }
}

// A GPU whose kernels keep the clock and reach the peak in their main loops loses nothing to either.
TEST_CASE("each loss is there for its cause alone") {
  const auto scenario = scenario::read_scenario_text(dense(), "test.yaml");
  REQUIRE(scenario.ok());
  const auto run = scenario::resolve(*scenario, Catalogue::shared());
  REQUIRE(run.ok());
  program::StepInput input = run->input();
  program::Costs costs;  // kept over all of it: each input has its own
  const auto book = [&] {
    const auto made = program::kernel_book(input, costs);
    REQUIRE(made.ok());
    return *made;
  };
  const program::KernelBook as_is = book();
  CHECK(as_is.products.time > as_is.products.at_full_clock);
  CHECK(as_is.products.at_full_clock > as_is.products.at_full_rate);
  CHECK(as_is.products.number_format == 0);
  input.kernels.sustained = 1;
  CHECK(book().products.time == as_is.products.at_full_clock);
  CHECK(book().products.at_full_rate == as_is.products.at_full_rate);
  input.kernels.gemm.rate = {1, 1, 1, 1, 1, 1};
  input.kernels.gemm.tn = input.kernels.gemm.nn = input.kernels.gemm.nt = input.kernels.gemm.misaligned_rate = 1;
  CHECK(book().products.time == as_is.products.at_full_rate);
  // Half of the micro-batches, half of all.
  auto half = std::make_shared<schedule::Schedule>(*input.schedule);
  half->micro_batches /= 2;
  input.schedule = half;
  CHECK(2 * book().memory_bound == as_is.memory_bound);
}

// gpt3-1.3b: 24 layers of 2048 on 4 stages of 6, the middle of the first is layer 3. Forward at tensor 2, 2048 tokens:
// qkv 2048 × 3072 × 2048 runs 2·2048·3072·2048 = 25.77 GFLOP.
TEST_CASE("the operators of a layer are those of its passes") {
  auto scenario = scenario::read_scenario_text(dense(), "test.yaml");
  REQUIRE(scenario.ok());
  scenario->stack.launch.per_kernel = {};  // or the host is what bounds them
  const auto run = scenario::resolve(*scenario, Catalogue::shared());
  REQUIRE(run.ok());
  program::Costs costs;
  const auto layer = program::layer_steps(run->input(), costs);
  REQUIRE(layer.ok());
  CHECK(layer->stage == 0);
  CHECK(layer->layer == 3);
  const auto qkv = std::find_if(layer->steps.begin(), layer->steps.end(), [](const program::LayerStep& s) {
    return std::string_view(s.step.name) == "qkv" && !s.step.is_communication;
  });
  REQUIRE(qkv != layer->steps.end());
  CHECK(qkv->pass == layout::PassKind::forward);
  CHECK(qkv->executed == Int128{2} * 2048 * 3072 * 2048);
  CHECK(qkv->bound == program::Bound::compute);
  CHECK(qkv->time == cost::kernel_time(run->input().gpu, run->input().kernels, qkv->step.kernel));
  for (const program::LayerStep& s : layer->steps) {
    CHECK(s.step.layer == 3);
    if (s.step.is_communication) CHECK(s.bound == program::Bound::network);
    if (!s.step.is_communication && s.executed == 0) CHECK(s.bound != program::Bound::compute);
  }
}

// Four experts over four ranks of 1024 tokens, each to one: 1024 rows where loads are alike; of unlike ones the rank
// that the others wait for has more. Forward its products are 2 · rows · 3 · 512 · 1024 FLOPs.
TEST_CASE("of unlike experts the operators are those of the fullest rank") {
  const auto steps = [](const std::string& routing) {
    const auto scenario = scenario::read_scenario_text(
        "model: {layers: 1, hidden: 1024, heads: 8, vocab: 32000, activation: swiglu, norm: rms_norm, position: "
        "rotary, "
        "bias: false, dropout: false, experts: {count: 4, top_k: 1, hidden: 512}}\n"
        "cluster: {type: dgx-h100, nodes: 1, gpus: 4}\nlayout: {data: 4, expert: 4}\n"
        "training: {sequence_length: 1024, global_batch: 4" +
            routing + "}\nstack: megatron-2024\n",
        "test.yaml");
    REQUIRE_MESSAGE(scenario.ok(), (scenario.ok() ? "" : render(scenario.errors())));
    const auto run = scenario::resolve(*scenario, Catalogue::shared());
    REQUIRE_MESSAGE(run.ok(), (run.ok() ? "" : render(run.errors())));
    program::Costs costs;
    const auto layer = program::layer_steps(run->input(), costs);
    REQUIRE(layer.ok());
    Int128 products = 0;
    for (const program::LayerStep& s : layer->steps)
      if (s.pass == layout::PassKind::forward && std::string_view(s.step.name).substr(0, 8) == "experts." &&
          s.step.kernel.kind == model::KernelKind::gemm)
        products += s.executed;
    const layout::ExpertRows rows = layout::expert_rows(run->input().graph->spec.experts, 1, run->input().layout, 1024,
                                                        run->input().pass.routing, 0);
    CHECK(products == Int128{rows.fullest()} * (2 * 3 * 512 * 1024));
    return std::pair{layer->place, products};
  };
  const auto alike = steps(""), unlike = steps(", routing: {power_law: 1.2}");
  CHECK(alike.first == -1);
  CHECK(unlike.first >= 0);
  CHECK(unlike.second > alike.second);
}

}  // namespace orrery::kernel_book_test
