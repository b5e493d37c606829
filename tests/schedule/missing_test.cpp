// What validate() says of an operation that is not there, or where it must not be.
#include <doctest/doctest.h>

#include <algorithm>

#include "orrery/schedule/validate.hpp"

namespace orrery::schedule::missing_test {

namespace {

Schedule made(const char* name) {
  ScheduleRequest request;
  request.name = name, request.ranks = request.micro_batches = 2;
  auto schedule = make_schedule(request);
  REQUIRE(schedule.ok());
  return std::move(schedule).value();
}

// The first words of what is wrong once the operations of rank 1 and micro-batch 1 of these kinds are taken out.
std::string without(const char* name, std::initializer_list<OpKind> kinds) {
  Schedule schedule = made(name);
  std::erase_if(schedule.order[1], [&](const Operation& o) {
    return o.micro_batch == 1 && std::ranges::find(kinds, o.kind) != kinds.end();
  });
  const Diagnostics errors = validate(schedule);
  REQUIRE(errors.size() == 1);
  return errors[0].message;
}

}  // namespace

TEST_CASE("what is missing is named by its kind") {
  CHECK(without("1f1b", {OpKind::backward}) == "rank 1: 1B1 is missing");
  CHECK(without("zb_h1", {OpKind::weight_gradient}) == "rank 1: 1W1 is missing");
  CHECK(without("zb_h1", {OpKind::input_gradient, OpKind::weight_gradient}) == "rank 1: 1B1 is missing");
  CHECK(without("1f1b", {OpKind::forward, OpKind::backward}) == "rank 1: 1F1 is missing");
}

TEST_CASE("what stands before its own input is named") {
  const auto message = [](const char* name, OpKind first, OpKind second) {
    Schedule schedule = made(name);
    auto& order = schedule.order[1];
    const auto find = [&](OpKind kind) {
      return std::ranges::find_if(order, [&](const Operation& o) { return o.kind == kind && o.micro_batch == 0; });
    };
    std::iter_swap(find(first), find(second));
    const Diagnostics errors = validate(schedule);
    REQUIRE(!errors.empty());
    return errors[0].message;
  };
  CHECK(message("1f1b", OpKind::forward, OpKind::backward) == "rank 1, position 0: 1B0 stands before its forward");
  const std::string weight = message("zb_h1", OpKind::input_gradient, OpKind::weight_gradient);
  CHECK_MESSAGE(weight.ends_with("W0 stands before its I"), weight);
  const std::string early = message("zb_h1", OpKind::forward, OpKind::weight_gradient);
  CHECK_MESSAGE(early.ends_with("W0 stands before its forward"), early);
}

}  // namespace orrery::schedule::missing_test
