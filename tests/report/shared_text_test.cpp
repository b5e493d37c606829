// What the report says of links that were shared, to the letter.
#include <doctest/doctest.h>

#include "example.hpp"

namespace orrery::report::shared_text_test {

namespace {

std::string said(hardware::LinkLevel level, double oversubscription, double took = 1.5,
                 program::Category category = program::Category::data_comm,
                 Collective collective = Collective::reduce_scatter) {
  RunResult run = testing::run_example();
  SharedTransfers s;
  s.category = category, s.collective = collective;
  s.took_s = took, s.alone_s = 1, s.level = level, s.link = "a->b", s.oversubscription = oversubscription;
  run.shared = {s};
  const std::string text = to_text(run, {.colour = false, .width = 200});
  const std::size_t at = text.find("Shared links: ");
  return at == std::string::npos ? "" : text.substr(at + 14, text.find('\n', at) - at - 14);
}

}  // namespace

TEST_CASE("shared links are named by their level and how far they are oversubscribed") {
  using hardware::LinkLevel;
  CHECK(said(LinkLevel::leaf, 4) ==
        "data-parallel reduce-scatter 50.0 % slower: leaf-to-spine links oversubscribed 4:1 (a->b most).");
  CHECK(said(LinkLevel::spine, 7) ==
        "data-parallel reduce-scatter 50.0 % slower: spine-to-core links oversubscribed 7:1 (a->b most).");
  CHECK(said(LinkLevel::leaf, 1) ==
        "data-parallel reduce-scatter 50.0 % slower: leaf-to-spine links shared (a->b most).");
  CHECK(said(LinkLevel::nic, 0) == "data-parallel reduce-scatter 50.0 % slower: NIC links shared (a->b most).");
  CHECK(said(LinkLevel::nic, 0, 1.006).starts_with("data-parallel reduce-scatter 0.6 % slower"));
  CHECK(said(LinkLevel::nic, 0, 1.004).empty());
}

TEST_CASE("each collective has its word") {
  const auto word = [](program::Category category, Collective collective) {
    const std::string text = said(hardware::LinkLevel::nic, 0, 1.5, category, collective);
    return text.substr(0, text.find(" 50.0 %"));
  };
  using C = program::Category;
  CHECK(word(C::tensor_comm, Collective::all_reduce) == "tensor-parallel all-reduce");
  CHECK(word(C::context_comm, Collective::all_gather) == "context-parallel all-gather");
  CHECK(word(C::expert_comm, Collective::all_to_all) == "expert all-to-all");
  CHECK(word(C::expert_comm, Collective::dispatch) == "expert dispatch");
  CHECK(word(C::data_comm, Collective::broadcast) == "data-parallel broadcast");
  CHECK(word(C::pipeline_comm, Collective::send_receive) == "pipeline messages");
}

}  // namespace orrery::report::shared_text_test
