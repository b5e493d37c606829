// Layouts of a pipeline as Megatron-LM writes them.
#include "layout/layout_string.hpp"

#include <doctest/doctest.h>

namespace orrery::layout::layout_string_test {

namespace {

using Layers = std::vector<std::int64_t>;

Layers with(std::int64_t first, std::size_t times, std::int64_t middle, std::int64_t last) {
  Layers layers(times + 2, middle);
  layers.front() = first, layers.back() = last;
  return layers;
}

std::string message(std::string_view text) {
  const auto read = read_layout_string(text);
  return read.ok() ? "accepted" : read.errors().front().message;
}

}  // namespace

TEST_CASE("layouts that published recipes use, read and written") {
  const std::pair<const char*, Layers> published[] = {{"Et*4|(t*4|)*14tmL", with(4, 14, 4, 1)},
                                                      {"Et*8|(t*8|)*6t*5mL", with(8, 6, 8, 5)},
                                                      {"Et*16|(t*16|)*2t*13L", with(16, 2, 16, 13)},
                                                      {"Et*4|(t*4|)*14tL", with(4, 14, 4, 1)}};
  for (const auto& [text, layers] : published) {
    CAPTURE(text);
    const auto read = read_layout_string(text);
    REQUIRE(read.ok());
    CHECK(*read == layers);
    CHECK(layout_string(layers, std::string_view(text).find('m') != std::string_view::npos ? 1 : 0) == text);
  }
  CHECK(*read_layout_string("EtttL") == Layers{3});
  CHECK(*read_layout_string("E|(t|t*2|)*2L") == Layers{0, 1, 2, 1, 2, 0});
  CHECK(layout_string({0, 1, 2, 2, 0}, 2) == "E|t|(t*2|)*2m*2L");
}

TEST_CASE("what is no layout is refused with what is wrong of it") {
  CHECK(message("Et|xL") == "'x' at 4 is none of E, t, m, L, | and (…)");
  CHECK(message("tt|L") == "the embedding, E, stands at the beginning, and there alone");
  CHECK(message("Et|EtL") == "the embedding, E, stands at the beginning, and there alone");
  CHECK(message("EtL|t") == "the loss, L, stands at the end");
  CHECK(message("Et|t") == "the loss, L, is missing at the end");
  CHECK(message("") == "the loss, L, is missing at the end");
  CHECK(message("Et|m|L") == "what predicts further tokens, m, apart from the loss is not described");
  CHECK(message("Et|mtL") == "a layer behind what predicts further tokens, m, is not described");
  CHECK(message("E(t|*3L") == "a '(' is not closed");
  CHECK(message("Et)L") == "')' at 3 closes nothing");
  CHECK(message("Et*L") == "a number must follow '*' at 3");
  CHECK(message("Et*99999(t*999)L") == "is too long");
}

}  // namespace orrery::layout::layout_string_test
