// What is left of a list of steps runs in its order, and a call beside what is left of the steps that ran beside it.
#include <doctest/doctest.h>

#include "layout/pass_builder.hpp"

namespace orrery::layout::filter_test {

namespace {

std::vector<OpStep> steps(std::initializer_list<std::pair<Phase, std::uint32_t>> list) {
  std::vector<OpStep> result;
  for (const auto& [phase, beside] : list) {
    result.emplace_back();
    result.back().phase = phase;
    result.back().step.beside = beside;
    result.back().step.layer = static_cast<std::int64_t>(result.size()) - 1;
  }
  return result;
}

struct Left {
  std::vector<std::int64_t> steps;
  std::vector<std::uint32_t> beside;
  std::vector<int> at;
};
Left left(const std::vector<OpStep>& all, Phase phase) {
  Left result;
  const Filtered filtered = filter(all, [&](const OpStep& s) { return s.phase == phase; });
  for (const OpStep& s : filtered.steps) {
    result.steps.push_back(s.step.layer);
    result.beside.push_back(s.step.beside);
  }
  result.at = filtered.at;
  return result;
}

}  // namespace

TEST_CASE("I and W of a column-parallel product: gather, product, reduction, two steps of the weights") {
  const std::vector<OpStep> b =
      steps({{Phase::weight, 2}, {Phase::input, 0}, {Phase::input, 2}, {Phase::weight, 0}, {Phase::weight, 0}});
  const Left i = left(b, Phase::input), w = left(b, Phase::weight);
  CHECK(i.steps == std::vector<std::int64_t>{1, 2});
  CHECK(i.beside == std::vector<std::uint32_t>{0, 0});  // nothing is left beside the reduction: it is waited for
  CHECK(i.at == std::vector<int>{0, 0, 1, 2, 2, 2});
  CHECK(w.steps == std::vector<std::int64_t>{0, 3, 4});
  CHECK(w.beside == std::vector<std::uint32_t>{0, 0, 0});
  CHECK(w.at == std::vector<int>{0, 1, 1, 1, 2, 3});
}

TEST_CASE("a call stays beside what is left, and waits where it waited") {
  const std::vector<OpStep> b =
      steps({{Phase::input, 3}, {Phase::weight, 0}, {Phase::input, 0}, {Phase::weight, 0}, {Phase::input, 0}});
  CHECK(left(b, Phase::input).beside == std::vector<std::uint32_t>{1, 0, 0});
  CHECK(left(steps({{Phase::input, 1}, {Phase::input, 0}}), Phase::input).beside == std::vector<std::uint32_t>{1, 0});
  CHECK(left({}, Phase::input).at == std::vector<int>{0});
}

TEST_CASE("whatever is left out, nothing or all of it") {
  const std::vector<OpStep> b = steps({{Phase::input, 2}, {Phase::input, 0}, {Phase::input, 1}, {Phase::input, 0}});
  const Left all = left(b, Phase::input), none = left(b, Phase::weight);
  CHECK(all.beside == std::vector<std::uint32_t>{2, 0, 1, 0});
  CHECK(all.at == std::vector<int>{0, 1, 2, 3, 4});
  CHECK(none.steps.empty());
  CHECK(none.at == std::vector<int>{0, 0, 0, 0, 0});
}

}  // namespace orrery::layout::filter_test
