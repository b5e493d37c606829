// Values of a dimension out of words, and what `auto` stands for, by hand.
#include "sweep/values.hpp"

#include <doctest/doctest.h>

#include "orrery/sweep/space.hpp"
#include "scenario/parts.hpp"
#include "sweep/points.hpp"

namespace orrery::sweep::values_test {
namespace {

using Texts = std::vector<std::string>;
using Numbers = std::vector<std::int64_t>;

Key key(const char* name) {
  const Result<Key> found = find_key(name, "test");
  REQUIRE(found.ok());
  return *found;
}

Texts values(const char* name, const std::string& item) {
  const auto expanded = expand(key(name), item);
  REQUIRE_MESSAGE(expanded.ok(), (expanded.ok() ? "" : render(expanded.errors())));
  return *expanded;
}

std::string mistake(const char* name, const std::string& item) {
  const auto expanded = expand(key(name), item);
  REQUIRE_FALSE(expanded.ok());
  CHECK_FALSE(expanded.errors().front().help.empty());
  return expanded.errors().front().message;
}

YamlTree tree(const std::string& more = {}) {
  return *read_yaml_text(
      "model: gpt2\n"
      "cluster: {type: selene, nodes: 2}\n"
      "training: {sequence_length: 1024, global_batch: 12, micro_batch: 1, precision: bf16}\n"
      "stack: megatron-2024\n" +
          more,
      "test.yaml");
}

Numbers dividing(const char* name, const std::string& more = {}) {
  const auto s = scenario::read_parts(tree(more), Catalogue::shared());
  REQUIRE(s.ok());
  return sweep::dividing(key(name).path, *s);
}

TEST_CASE("ranges go up by one, by a step or by a factor, and end within") {
  CHECK(values("tensor", "3") == Texts{"3"});
  CHECK(values("tensor", "1..4") == Texts{"1", "2", "3", "4"});
  CHECK(values("tensor", "5..5") == Texts{"5"});
  CHECK(values("nodes", "8..30+8") == Texts{"8", "16", "24"});
  CHECK(values("nodes", "8..64*2") == Texts{"8", "16", "32", "64"});
  CHECK(values("nodes", "3..80*3") == Texts{"3", "9", "27"});
  CHECK(values("tensor", " 1 .. 2 ") == Texts{"1", "2"});
}

TEST_CASE("ranges that go backward, do not end, or are of no integers are refused") {
  CHECK(mistake("tensor", "4..1") == "'4..1' goes backward and holds nothing");
  CHECK(mistake("tensor", "1..8+0") == "'1..8+0' does not end");
  CHECK(mistake("tensor", "1..8*1") == "'1..8*1' does not end");
  CHECK(mistake("tensor", "0..8*2") == "'0..8*2' does not end");
  CHECK(mistake("tensor", "a..b") == "'a..b' is no range of integers");
  CHECK(mistake("tensor", "1..") == "'1..' is no range of integers");
  CHECK(mistake("tensor", "").find("empty value") != std::string::npos);
  CHECK(mistake("nic_bandwidth", "1..2").find("only integers have ranges") != std::string::npos);
  CHECK(mistake("global_batch", "1..3000000").find("more than 1000000 values") != std::string::npos);
}

TEST_CASE("all is every choice, every name, both truths") {
  CHECK(values("sequence_parallel", "all") == Texts{"false", "true"});
  CHECK(values("zero", "all") == Texts{"none", "optimizer", "gradients", "parameters"});
  const Texts schedules = values("schedule", "all");
  for (const char* name : {"1f1b", "gpipe", "interleaved_1f1b", "zb_h1", "zbv", "dualpipe"})
    CHECK(std::find(schedules.begin(), schedules.end(), name) != schedules.end());
  CHECK(values("model", "all").size() > 40);
  CHECK(values("gpu", "all").size() > 25);
  CHECK(mistake("tensor", "all").find("'all' has no end") != std::string::npos);
}

TEST_CASE("lists are split at commas that stand in no brackets") {
  CHECK(split("a, b ,c", ',') == Texts{"a", "b", "c"});
  CHECK(split("[1,2],{a: 1, b: 2}", ',') == Texts{"[1,2]", "{a: 1, b: 2}"});
  CHECK(split("", ';') == Texts{""});
  CHECK(split("a;;b;", ';') == Texts{"a", "", "b", ""});
}

TEST_CASE("auto is what divides: GPT-2 has 12 layers and heads of 768, on 16 GPUs, 12 sequences") {
  CHECK(dividing("tensor") == Numbers{1, 2, 4});    // of 16 what divides 12 heads and 3072
  CHECK(dividing("pipeline") == Numbers{1, 2, 4});  // of 16 what divides 12 layers
  CHECK(dividing("virtual") == Numbers{1, 2, 3, 4, 6, 12});
  CHECK(dividing("micro_batch") == Numbers{1, 2, 3, 4, 6, 12});
  CHECK(dividing("layout.data") == Numbers{1, 2, 4});  // of 16 what divides 12
  CHECK(dividing("shard_degree") == Numbers{1, 2, 4, 8, 16});
  CHECK(dividing("layout.context") == Numbers{1, 2, 4, 8, 16});  // 1024 in 2 · 16 pieces
  CHECK(dividing("sequence_length").empty());
  // Embedding and head as layers: 14 places.
  CHECK(dividing("pipeline", "layout: {partition: ends_count_as_layers}\n") == Numbers{1, 2});
  CHECK(dividing("virtual", "layout: {partition: ends_count_as_layers}\n") == Numbers{1, 2, 7, 14});
  // Where layers need not be even, any number of stages up to that of the layers and two.
  CHECK(dividing("pipeline", "layout: {partition: balanced}\n") == Numbers{1, 2, 4, 8});
}

TEST_CASE("auto of a key that another dimension decides takes every value of that, too") {
  const auto space = read_space("global_batch=4,6; micro_batch=auto", tree(), Catalogue::shared());
  REQUIRE(space.ok());
  CHECK(space->dimensions[1].values == Texts{"1", "2", "3", "4", "6"});
  const auto models = read_space("model=gpt2,gpt2-large; tensor=auto", tree(), Catalogue::shared());
  REQUIRE(models.ok());  // 12 and 20 heads
  CHECK(models->dimensions[1].values == Texts{"1", "2", "4"});
}

TEST_CASE("points are numbered with the last dimension fastest") {
  const auto space = read_space("tensor=1,2; micro_batch=1,2,3", tree(), Catalogue::shared());
  REQUIRE(space.ok());
  const auto points = Points::make(*space, tree(), Catalogue::shared());
  REQUIRE(points.ok());
  CHECK(points->count() == 6);
  CHECK(points->digits(0) == Digits{0, 0});
  CHECK(points->digits(2) == Digits{0, 2});
  CHECK(points->digits(4) == Digits{1, 1});
  Digits digits = points->digits(2);
  CHECK(points->advance(digits) == 0);  // the first changed
  CHECK(digits == Digits{1, 0});
  CHECK(points->advance(digits) == 1);
  CHECK(digits == Digits{1, 1});
}

TEST_CASE("data follows from the other degrees and the GPUs; where it cannot it is 0") {
  const auto space = read_space("tensor=1,2,3; pipeline=1,2", tree(), Catalogue::shared());
  REQUIRE(space.ok());
  auto points = Points::make(*space, tree(), Catalogue::shared());
  REQUIRE(points.ok());
  CHECK(points->data_follows());
  scenario::Scenario s = **points->read(points->digits(0));
  const auto data_of = [&](std::int64_t point) {
    points->set(points->digits(point), 0, s);
    return s.layout.data;
  };
  CHECK(data_of(0) == 16);
  CHECK(data_of(1) == 8);  // pipeline 2
  CHECK(data_of(3) == 4);  // 2 · 2
  CHECK(data_of(4) == 0);  // 3 does not divide 16
  // Said, and no dimension changes a degree: it stays.
  const YamlTree said = tree("layout: {data: 16}\n");
  const auto batches = read_space("micro_batch=1,2", said, Catalogue::shared());
  CHECK_FALSE(Points::make(*batches, said, Catalogue::shared())->data_follows());
}

TEST_CASE("the schedule that none names is what run takes: interleaved with chunks") {
  const auto space = read_space("pipeline=2; virtual=1,2", tree(), Catalogue::shared());
  REQUIRE(space.ok());
  auto points = Points::make(*space, tree(), Catalogue::shared());
  REQUIRE(points.ok());
  scenario::Scenario s = **points->read(points->digits(0));
  points->set(points->digits(0), 0, s);
  CHECK(s.schedule.type == "1f1b");
  points->set(points->digits(1), 0, s);
  CHECK(s.schedule.type == "interleaved_1f1b");
}

}  // namespace
}  // namespace orrery::sweep::values_test
