// Placements on which ranks that must talk cannot: what is down between them, and who says so.
#include <doctest/doctest.h>

#include "by_hand.hpp"
#include "program/ranks.hpp"

namespace orrery::program::routes_test {

using program::test::ByHand;

namespace {

// A GPU that is cut off from all others.
ByHand without(int device, int tensor, int pipeline, int data = 1) {
  ByHand step("1f1b", tensor, pipeline, 1, 4);
  step.layout.data = data;
  hardware::Perturbation down;
  down.device = device, down.down = true;
  step.cluster.perturb = {down};
  step.put_on(4);
  return step;
}
std::vector<std::string> errors_of(const ByHand& step) {
  const StepInput input = step.input();
  std::vector<std::string> messages;
  for (const Diagnostic& error : check_routes(Ranks(input, step.stages()), *input.topology, input.placement)) {
    CHECK(error.path == "perturb");
    messages.push_back(error.message);
  }
  return messages;
}
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("each group with a member that is cut off is named, by what it is for") {
  CHECK(errors_of(without(3, 2, 1)).empty());  // a GPU that holds no rank
  CHECK(
      errors_of(without(1, 2, 1)) ==
      Texts{"no route from rank 0 (node0.gpu0) to rank 1 (node0.gpu1), tensor-parallel group: what joins them is down",
            "no route from rank 0 (node0.gpu0) to rank 1 (node0.gpu1), gradient norm: what joins them is down"});
  const Texts data = errors_of(without(1, 1, 1, 2));
  REQUIRE(data.size() == 1);
  CHECK(data[0].find("data-parallel group") != std::string::npos);
  ByHand experts = without(1, 1, 1, 2);
  experts.model.experts.count = 2, experts.model.experts.top_k = 1, experts.model.experts.hidden = 64;
  const Texts same = errors_of(experts);
  REQUIRE(same.size() == 2);
  CHECK(same[1].find("group of the same experts") != std::string::npos);
}

TEST_CASE("a placement that leaves out the GPU that is down is fine") {
  ByHand step = without(1, 2, 1);
  step.placement = {0, 2};
  CHECK(errors_of(step).empty());
  CHECK(check_step(step.input()).empty());
}

TEST_CASE("stages that feed each other need a way there and back, others none") {
  // Four stages on GPUs 0-3, the third down: messages 1 → 2, 2 → 3 and back, the norm; the table of 0 and 3 is fine.
  ByHand step = without(2, 1, 4);
  const Texts cut = errors_of(step);
  int messages = 0;
  for (const std::string& error : cut) {
    messages += error.find("pipeline message") != std::string::npos ? 1 : 0;
    CHECK(error.find("tied embeddings") == std::string::npos);
    CHECK(error.find("node1.gpu0") != std::string::npos);
  }
  CHECK(messages == 4);
  CHECK(cut.size() == 5);
}

TEST_CASE("what the check says, lowering says too; of very many groups a few are named") {
  const ByHand step = without(0, 1, 4);
  const auto lowered = lower_step(step.input());
  REQUIRE_FALSE(lowered.ok());
  CHECK(render(lowered.errors()) == render(check_step(step.input())));
  ByHand many("1f1b", 2, 1, 1, 4);
  many.layout.data = 12;
  for (int device = 0; device < 24; device += 2) {
    hardware::Perturbation down;
    down.device = device, down.down = true;
    many.cluster.perturb.push_back(down);
  }
  many.put_on(12);
  CHECK(errors_of(many).size() == 8);
}

}  // namespace orrery::program::routes_test
