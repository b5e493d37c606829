// How many tasks a step will have, counted by hand: a product of micro-batches, stages and what a pass is cut into.
#include "orrery/program/footprint.hpp"

#include <doctest/doctest.h>

#include "by_hand.hpp"
#include "orrery/layout/pass.hpp"

namespace orrery::program::footprint_test {

using program::test::ByHand;

namespace {

// Two layers a stage, six micro-batches, alike ranks played once. Whatever a step ends with counts as five tasks a
// pipeline rank.
struct Sized {
  ByHand step;
  bool split = false, flows = false, fuse = true;
  int pipes = 1, steps = 1;
  TeamShape teams = folded_teams();

  explicit Sized(int tensor = 1, int pipeline = 1, int data = 1) : step("1f1b", tensor, pipeline, 1, 6) {
    step.model.layers = 2 * pipeline;
    step.layout.data = data;
  }
  Footprint footprint() const { return footprint_of(size()); }
  StepSize size() const {
    return {step.model, step.layout, step.pass, step.stack, step.layout.pipeline, pipes, 6, split,
            flows,      fuse,        steps,     teams};
  }
  double tasks() const { return footprint().tasks; }
};

double steps_of(const Sized& sized, layout::PassKind kind, bool calls) {
  const layout::StageSpan span{0, 2, true, true};
  double count = 0;
  for (const layout::PassStep& s :
       layout::test::stage_of(sized.step.model, sized.step.layout, span, sized.step.pass).pass(kind))
    count += s.is_communication == calls ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("a fused pass is a task: forward and backward of each micro-batch") {
  CHECK(Sized().tasks() == 2 * 6 + 5);
  Sized split;
  split.split = true;
  CHECK(split.tasks() == 3 * 6 + 5);
  Sized two;
  two.steps = 2;
  CHECK(two.tasks() == 2 * (2 * 6 + 5));
  CHECK(two.footprint().bytes > Sized().footprint().bytes);
}

TEST_CASE("between stages each micro-batch sends a message each way") {
  CHECK(Sized(1, 4).tasks() == 4 * 2 * 6 + 2 * 6 * 3 + 4 * 5);
}

TEST_CASE("unfused, each kernel is a task of each device and each call one of its group") {
  Sized apart(2);
  apart.fuse = false;
  double kernels = 0, calls = 0;
  for (const auto kind : {layout::PassKind::forward, layout::PassKind::backward})
    kernels += steps_of(apart, kind, false), calls += steps_of(apart, kind, true);
  REQUIRE(calls > 4);
  CHECK(apart.tasks() == 6 * (kernels + calls) + 5);  // folded: one device for both ranks
  apart.teams = teams_of_all_ranks(apart.step.layout);
  CHECK(apart.tasks() == 6 * (2 * kernels + calls) + 2 * 5);
  // Under flows passes are never fused.
  apart.fuse = apart.flows = true;
  CHECK(apart.tasks() == 6 * (2 * kernels + calls) + 2 * 5);
}

TEST_CASE("a host that launches adds two tasks a piece, one that blocks one a step") {
  Sized host;
  host.step.stack.launch.per_kernel = {1};
  CHECK(host.tasks() == 3 * 2 * 6 + 5);
  host.step.stack.launch.mode = cost::LaunchMode::blocking;
  CHECK(host.tasks() == 2 * 6 + 5);  // inside the block
  host.fuse = false;
  const double kernels =
      steps_of(host, layout::PassKind::forward, false) + steps_of(host, layout::PassKind::backward, false);
  CHECK(host.tasks() == 6 * 2 * kernels + 5);
}

TEST_CASE("gradients reduced beside the last backward pass: a call and a piece more for each bucket") {
  Sized beside(1, 1, 2);
  CHECK(beside.tasks() == 2 * 6 + 5);
  beside.step.stack.communication.overlap_data = true;
  CHECK(beside.tasks() == 2 * 6 + 5 + 1 + 1);
  beside.step.layout.zero = layout::Zero::optimizer;  // and the parameters are gathered
  CHECK(beside.tasks() == 2 * 6 + 5 + 2 + 1);
  beside.step.stack.communication.overlap_gather = false;
  CHECK(beside.tasks() == 2 * 6 + 5 + 1 + 1);
}

TEST_CASE("ZeRO 3: a piece for each layer with parameters, gathered in both passes and reduced in one") {
  Sized sharded(1, 1, 2);
  sharded.step.layout.zero = layout::Zero::parameters;
  // Tables, two layers, final norm: 4 pieces and 4 gathers forward, 4 pieces, 4 gathers and 4 reductions backward.
  CHECK(sharded.tasks() == 6 * (4 + 4 + 4 + 8) + 5);
  sharded.step.layout.zero = layout::Zero::gradients;  // whole forward; reduced layer by layer backward
  CHECK(sharded.tasks() == 6 * (1 + 4 + 4) + 5);
}

TEST_CASE("what is told without making a pass is no less, however far keys and values go round") {
  for (const int context : {1, 2, 64, 1024}) {
    CAPTURE(context);
    Sized ring(2, 2);
    ring.step.layout.context = context, ring.step.pass.sequence_length = 4096;
    ring.step.pass.attention = layout::AttentionKind::flash;
    const Footprint made = ring.footprint(), most = footprint_at_most(ring.size());
    CHECK(most.tasks >= made.tasks);
    CHECK(most.bytes >= made.bytes);
    CHECK(most.accounts >= made.accounts);
    CHECK(made.accounts > 0);
  }
}

TEST_CASE("a layout that no partition serves has no footprint") {
  Sized none;
  none.step.layout.partition = layout::Partition::explicit_layers;
  CHECK(none.tasks() == 0);
}

}  // namespace orrery::program::footprint_test
