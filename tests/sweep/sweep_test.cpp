// A sweep gives what `orrery run` gives, whatever the number of threads, and its counts add up.
#include "orrery/sweep/sweep.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "orrery/scenario/simulate.hpp"

namespace orrery::sweep_test {

namespace {

constexpr const char* kScenario =
    "model: gpt2\n"
    "cluster: {type: selene, nodes: 1}\n"
    "layout: {tensor: 2, data: 4}\n"
    "training: {sequence_length: 1024, global_batch: 16, micro_batch: 1, precision: bf16}\n"
    "stack: megatron-2024\n";

YamlTree tree(const std::string& more = {}) {
  return *read_yaml_text(kScenario + more, "test.yaml");
}

struct Swept {
  sweep::Space space;
  sweep::Outcome outcome;
  std::vector<sweep::Row> rows;
};

Swept sweep_all(const YamlTree& scenario, const std::string& space, sweep::Options options = {}) {
  Swept all;
  const auto read = sweep::read_space(space, scenario, Catalogue::shared());
  REQUIRE_MESSAGE(read.ok(), (read.ok() ? "" : render(read.errors())));
  all.space = *read;
  options.row = [&](const sweep::Row& row) { all.rows.push_back(row); };
  auto outcome = sweep::sweep(scenario, *read, Catalogue::shared(), options);
  REQUIRE_MESSAGE(outcome.ok(), (outcome.ok() ? "" : render(outcome.errors())));
  all.outcome = *outcome;
  return all;
}

// The layout as `orrery run --set …` plays it.
Result<report::RunResult> run_again(const YamlTree& scenario, const Swept& all, const sweep::Row& row) {
  YamlTree changed = scenario;
  for (const std::string& set : sweep::assignments(row, all.space, scenario, Catalogue::shared()))
    REQUIRE(changed.set(set).empty());
  REQUIRE(changed.set("network.mode=steady").empty());
  const auto run = scenario::read_run(changed, Catalogue::shared());
  if (!run.ok()) return run.errors();
  return scenario::simulate(*run);
}

std::string text_of(const std::vector<sweep::Row>& rows) {
  std::string text;
  for (const sweep::Row& r : rows)
    text += std::to_string(r.point) + " " + std::string(sweep::name_of(r.status)) + " " +
            std::to_string(r.figures.step_time_ps) + " " + std::to_string(r.figures.memory_bytes) + " " + r.why + "\n";
  return text;
}

std::string first_error(const std::string& space) {
  const auto read = sweep::read_space(space, tree(), Catalogue::shared());
  return read.ok() ? "" : render(read.errors());
}

}  // namespace

TEST_CASE("a space is lists, ranges, all and auto of keys by their short names") {
  const auto space = sweep::read_space(
      "tensor=1,2; micro_batch=1..4; recompute=all; pipeline=auto; cluster.nodes=1..8*2; layout.virtual=1..7+3", tree(),
      Catalogue::shared());
  REQUIRE(space.ok());
  using Values = std::vector<std::string>;
  const auto& d = space->dimensions;
  CHECK(d[0].key == "layout.tensor");
  CHECK(d[0].values == Values{"1", "2"});
  CHECK(d[1].key == "training.micro_batch");
  CHECK(d[1].values == Values{"1", "2", "3", "4"});
  CHECK(d[2].values == Values{"none", "selective", "selective_op", "full", "alternate_layers"});
  CHECK(d[3].values == Values{"1", "2", "4"});  // divides 8 to 64 GPUs and 12 layers
  CHECK(d[4].values == Values{"1", "2", "4", "8"});
  CHECK(d[5].values == Values{"1", "4", "7"});
  CHECK(space->points() == 2.0 * 4 * 5 * 3 * 4 * 3);
}

TEST_CASE("a space that cannot be says what is wrong and what to do") {
  const auto says = [](const std::string& space, const std::string& what, const std::string& remedy) {
    const std::string text = first_error(space);
    CAPTURE(text);
    CHECK(text.find(what) != std::string::npos);
    CHECK(text.find("help: " + remedy) != std::string::npos);
  };
  says("tensor=8..1", "goes backward", "say 1..8");
  says("tensor=", "empty value", "such as");
  says("tensor", "has no values", "KEY=VALUES");
  says("tensr=1", "no key of a scenario", "did you mean 'tensor'?");
  says("tensor=1; layout.tensor=2", "a dimension twice", "give all its values in one list");
  says("overlap_data=all", "the end of several keys", "say the whole key");
  says("global_batch=auto", "'auto' says nothing", "list the values");
  says("global_batch=all", "'all' has no end", "list the values");
  says("tensor=1..8*1", "does not end", "a range is");
  CHECK(first_error("tensor=0").find("expected an integer from 1") != std::string::npos);
  CHECK(first_error("recompute=most").find("expected one of none, selective") != std::string::npos);
  CHECK(first_error("model=gpt9").find("unknown model 'gpt9'") != std::string::npos);
}

TEST_CASE("a space beyond a thousand million points is refused before anything is built, but for a sample") {
  const std::string huge = "global_batch=1..25000; micro_batch=1..25000; tensor=1,2";
  const auto space = sweep::read_space(huge, tree(), Catalogue::shared());
  REQUIRE(space.ok());
  const auto outcome = sweep::sweep(tree(), *space, Catalogue::shared(), {});
  REQUIRE(!outcome.ok());
  CHECK(render(outcome.errors()) ==
        "--space: holds 1.25e+09 points, more than 1e+09 cannot be gone over\n"
        "  help: --sample 100000 takes so many of them at random; or give fewer values\n");
  sweep::Options sampled;
  sampled.sample = 300;
  const Swept all = sweep_all(tree(), huge, sampled);
  CHECK(all.outcome.counts.space == 300);
}

TEST_CASE("a layout needs what evaluating it takes, and each thread has its part of the memory") {
  YamlTree steady = tree();
  REQUIRE(steady.set("network.mode=steady").empty());
  const auto run = scenario::read_run(steady, Catalogue::shared());
  REQUIRE(run.ok());
  const program::Footprint size = scenario::footprint(run->scenario());
  const auto status = [&](double bytes, unsigned threads, bool reserved) {
    sweep::Options options;
    options.memory_limit = Bytes{static_cast<std::int64_t>(bytes)};
    options.threads = threads, options.reserved = reserved;
    return sweep_all(tree(), "tensor=2", options).rows.front().status;
  };
  REQUIRE(size.accounts > 1e5);
  const double evaluated = size.bytes - size.accounts, between = size.bytes - size.accounts / 2;
  CHECK(status(between, 1, false) == sweep::Status::ok);
  CHECK(status(between, 1, true) == sweep::Status::refused);  // as a report is made
  CHECK(status(0.9 * evaluated, 1, false) == sweep::Status::refused);
  CHECK(status(2 * between, 2, false) == sweep::Status::ok);
  CHECK(status(between, 2, false) == sweep::Status::refused);
}

TEST_CASE("each layout of a sweep is what run plays, to the picosecond and the byte") {
  const YamlTree scenario = tree();
  const Swept all = sweep_all(scenario,
                              "model=gpt2,gpt2-medium; tensor=1,2; pipeline=1,2,3; virtual=1,2; micro_batch=1,2; "
                              "recompute=none,full; stack.communication.bucket=0 B,40 MB");
  std::int64_t compared = 0, refused = 0;
  for (std::size_t i = 0; i < all.rows.size(); i += 7) {
    const sweep::Row& row = all.rows[i];
    const auto run = run_again(scenario, all, row);
    CAPTURE(row.point);
    CHECK(run.ok() == (row.status != sweep::Status::refused));
    if (!run.ok()) ++refused;
    if (!run.ok() || row.status > sweep::Status::unwanted) continue;
    ++compared;
    CHECK(run->timeline.step_time.value == row.figures.step_time_ps);
    CHECK(std::max_element(run->memory.begin(), run->memory.end(), [](const auto& a, const auto& b) {
            return a.peak < b.peak;
          })->peak == row.figures.peak_memory_bytes);
    const report::Metrics metrics = report::metrics_of(*run);
    CHECK(metrics.hfu == row.figures.hfu);
    CHECK(metrics.mean_s == row.figures.mean_s);
    CHECK(metrics.tokens_per_s_per_gpu == row.figures.tokens_per_s_per_gpu);
    CHECK(metrics.mfu == row.figures.mfu);
    CHECK(metrics.bubble_fraction == row.figures.bubble_fraction);
    CHECK(metrics.fits() == (row.status == sweep::Status::ok));
  }
  CHECK(compared >= 8);
  CHECK(refused >= 4);
}

TEST_CASE("where it is asked for, what the allocator reserves is what run says") {
  const YamlTree scenario = tree();
  sweep::Options options;
  options.reserved = true;
  const Swept all = sweep_all(scenario, "tensor=1,2; micro_batch=1,2", options);
  for (const sweep::Row& row : all.rows) {
    const auto run = run_again(scenario, all, row);
    REQUIRE(run.ok());
    const report::Metrics metrics = report::metrics_of(*run);
    CHECK(row.figures.headroom_bytes == metrics.headroom);
    CHECK(row.figures.reserved_bytes == *std::max_element(run->reserved.begin(), run->reserved.end()));
  }
}

TEST_CASE("a point that is folded gives what the point it was folded into gives") {
  const YamlTree scenario = tree();
  sweep::Options options;
  options.prune = false;
  const Swept all = sweep_all(scenario,
                              "pipeline=1,2; virtual=1,2,3; zero=none,optimizer; tensor=1,2,4; recompute_every=1,2; "
                              "training.overlap_tensor=all",
                              options);
  std::set<std::pair<std::int64_t, std::int64_t>> played;
  for (const sweep::Row& row : all.rows)
    if (row.status <= sweep::Status::unwanted) played.emplace(row.figures.step_time_ps, row.figures.peak_memory_bytes);
  std::int64_t folded = 0;
  for (const sweep::Row& row : all.rows) {
    if (row.status != sweep::Status::duplicate || ++folded % 5 != 0) continue;
    const auto run = run_again(scenario, all, row);
    REQUIRE(run.ok());
    std::int64_t peak = 0;
    for (const engine::DeviceMemory& memory : run->memory) peak = std::max(peak, memory.peak);
    CHECK(played.contains({run->timeline.step_time.value, peak}));
  }
  CHECK(folded > 50);
}

TEST_CASE("the counts of a sweep add up, and are the same for any number of threads") {
  const std::string space = "tensor=1,2,4,8; pipeline=auto; virtual=1,2; micro_batch=1..3; schedule=1f1b,gpipe";
  sweep::Options options;
  options.where.push_back(*sweep::Condition::parse("bubble <= 0.2", "--where"));
  options.where.push_back(*sweep::Condition::parse("micro_batch != 2", "--where"));
  const Swept one = sweep_all(tree(), space, options);
  const sweep::Counts& c = one.outcome.counts;
  CHECK(c.space == static_cast<std::int64_t>(one.space.points()));
  CHECK(c.space == c.refused + c.duplicate + c.pruned + c.evaluated);
  CHECK(c.fit > 0);
  CHECK(one.outcome.unwanted.size() == 1);
  CHECK(std::any_of(one.outcome.refused.begin(), one.outcome.refused.end(),
                    [](const sweep::Reason& r) { return r.why == "not micro_batch != 2" && r.points > 0; }));
  for (const unsigned threads : {2u, 3u}) {
    options.threads = threads;
    CHECK(text_of(sweep_all(tree(), space, options).rows) == text_of(one.rows));
  }
  for (std::size_t i = 1; i < one.outcome.best.size(); ++i)
    CHECK(sweep::better(one.outcome.best[i - 1], one.outcome.best[i]));
}

TEST_CASE("the section sweep of a scenario is its space, and run leaves it alone") {
  const YamlTree scenario = tree("sweep: {tensor: [1, 2], micro_batch: 1..2, where: ['memory <= 76 GiB']}\n");
  const auto space = sweep::read_space(scenario, Catalogue::shared());
  REQUIRE(space.ok());
  CHECK(space->points() == 4);
  CHECK(space->where == std::vector<std::string>{"memory <= 76 GiB"});
  CHECK(scenario::read_run(scenario, Catalogue::shared()).ok());
  const auto wrong = sweep::read_space(tree("sweep: {tensr: [1]}\n"), Catalogue::shared());
  REQUIRE(!wrong.ok());
  CHECK(render(wrong.errors()).find("test.yaml:6:9") != std::string::npos);
}

TEST_CASE("conditions on what is no figure, or without a comparison, are refused with what there is") {
  const auto says = [](const std::string& text, const std::string& what) {
    const auto condition = sweep::Condition::parse(text, "--where");
    REQUIRE(!condition.ok());
    const std::string said = render(condition.errors());
    CAPTURE(said);
    CHECK(said.find(what) != std::string::npos);
    CHECK(said.find("help: ") != std::string::npos);
  };
  says("memry <= 1 GiB", "is no figure");
  says("mfu", "no comparison");
  says("memory <= 76", "has no unit");
  says("recompute <= full", "which has no order");
  says("recompute == fully", "is not a value");
}

}  // namespace orrery::sweep_test
