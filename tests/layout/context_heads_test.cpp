// Context parallelism by heads (DeepSpeed-Ulysses), worked out by hand.
#include <doctest/doctest.h>

#include <string_view>
#include <vector>

#include "stages.hpp"

namespace orrery::layout::context_heads_test {

// 8 heads of 32 on 4 context ranks, 64 positions, 2 sequences: a rank has 16 positions of 3 · 256 features, 32 rows in
// all, of 2 bytes; while attention runs it has 64 positions of 2 heads. FLOPs of a pass: 2 · (32 + 32) · 64² a head and
// sequence, backward 2 · (3 + 2) · 32.
TEST_CASE("heads are split in place of positions while attention runs") {
  const model::ModelSpec m = test::gpt(1, 256, 8, 1024);
  Layout l;
  l.context = 4;
  PassOptions o;
  o.sequence_length = 64, o.micro_batch = 2, o.attention = AttentionKind::flash;
  o.calls.context_exchange = ContextExchange::all_to_all;
  const StageModel s = test::stage_of(m, l, {0, 1, false, false}, o);
  const auto of_attention = [](const std::vector<PassStep>& steps) {
    std::vector<PassStep> those;
    for (const PassStep& step : steps)
      if (step.along == Dimension::context || std::string_view(step.name) == "attention")
        if (step.is_communication || step.kernel.heads > 0) those.push_back(step);
    return those;
  };
  constexpr std::int64_t kRows = 2 * 16, kBytes = 2;
  for (const PassKind kind : {PassKind::forward, PassKind::backward}) {
    const bool forward = kind == PassKind::forward;
    const std::vector<PassStep> steps = of_attention(s.pass(kind));
    REQUIRE(steps.size() == 3);
    const PassStep &to_heads = steps[forward ? 0 : 2], &kernel = steps[1], &to_positions = steps[forward ? 2 : 0];
    CHECK(to_heads.collective == Collective::all_to_all);
    CHECK(to_heads.message.value == kRows * 3 * 256 * kBytes);
    CHECK(to_positions.message.value == kRows * 256 * kBytes);
    CHECK(kernel.kernel.heads == 2);
    CHECK(kernel.kernel.kv_heads == 2);
    CHECK(kernel.kernel.sequence_q == 64);
    CHECK(kernel.kernel.sequence_kv == 64);
    CHECK(kernel.kernel.flops.value == 2 * 2 * 64 * 64 * (forward ? 2 * 64 : 2 * 5 * 32));
  }
  // What attention made is kept by heads for its own backward pass, and by positions for the projection's: one tensor
  // more than where keys and values are gathered, 32 rows of 256. As many FLOPs are run.
  o.calls.context_exchange = ContextExchange::all_gather;
  const StageModel gathered = test::stage_of(m, l, {0, 1, false, false}, o);
  CHECK(s.saved_activations().value == gathered.saved_activations().value + kRows * 256 * kBytes);
  CHECK(s.hardware_flops() == gathered.hardware_flops());
}

}  // namespace orrery::layout::context_heads_test
