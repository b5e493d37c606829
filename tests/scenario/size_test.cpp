// The size of a run as estimated before anything is made, and the refusal of what is too large.
#include <doctest/doctest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "../drawn/drawn.hpp"
#include "orrery/core/memory.hpp"
#include "orrery/core/random.hpp"
#include "orrery/scenario/evaluate.hpp"
#include "orrery/scenario/simulate.hpp"
#include "paths.hpp"
#include "resolved.hpp"

namespace orrery::scenario::size_test {

namespace {

Scenario loaded(const std::string& name, const std::vector<std::string>& sets = {}) {
  Result<Scenario> s = load_scenario(orrery::testing::source_dir() + "/scenarios/" + name + ".yaml", sets);
  REQUIRE_MESSAGE(s.ok(), render(s.errors()));
  return *s;
}

void check_tasks(const Scenario& s, const RunOptions& options) {
  const Result<report::RunResult> run = resolve_and_simulate(s, options);
  REQUIRE_MESSAGE(run.ok(), render(run.errors()));
  CAPTURE(run->title);
  CAPTURE(run->network_mode);
  CAPTURE(options.every_rank);
  CAPTURE(options.fuse);
  const auto tasks = static_cast<double>(run->program.tasks());
  CAPTURE(tasks);
  CHECK(run->expected.tasks < 2 * tasks);
  CHECK(run->expected.tasks > tasks / 2);
  // Before the schedule is made it may be less, where ranks that look alike turn out not to be.
  CHECK(footprint(s, options).tasks < 2 * tasks);
}

// Attention of 1 024 ranks: passes of many steps, few of which allocate.
std::vector<std::string> long_ring() {
  return {"network=steady", "layout={tensor: 1, context: 1024, pipeline: 8, data: 2, partition: ends_count_as_layers}",
          "training.global_batch=32"};
}

RunOptions played(bool every_rank, bool fuse) {
  RunOptions options;
  options.every_rank = every_rank;
  options.fuse = fuse;
  return options;
}

// Bytes that something takes beyond what the program has, over those it was expected to, which `play` says (0: it
// failed); in a process of its own.
int percent_of_bytes(const std::function<double()>& play) {
  ::malloc_trim(0);  // what tests before it have freed would serve it
  const pid_t child = ::fork();
  if (child == 0) {
    rusage before{}, after{};
    ::getrusage(RUSAGE_SELF, &before);
    const double expected = play();
    ::getrusage(RUSAGE_SELF, &after);
    const double taken = static_cast<double>(after.ru_maxrss - before.ru_maxrss) * 1024;
    ::_exit(expected > 0 ? std::min(static_cast<int>(100 * taken / expected), 254) : 255);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

}  // namespace

// A sanitizer keeps books of its own beside the memory of a run, and makes large runs take minutes.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kMeasured = false;
#else
constexpr bool kMeasured = true;
#endif

TEST_CASE("the memory that a run takes is known before, within a factor of two" * doctest::skip(!kMeasured)) {
  const std::pair<const char*, std::vector<std::string>> runs[] = {
      {"quickstart-8gpu", {"training.global_batch=6000", "network=steady"}},
      {"quickstart-16gpu", {"training.global_batch=1024", "network=flows"}},
      {"llama2-70b-fsdp-128xh100", {}},
      {"megatron-530b-280xa100", {}},
      {"llama3-405b-16384xh100", long_ring()}};
  for (const auto& [name, sets] : runs) {
    CAPTURE(std::string(name));
    const Scenario s = loaded(name, sets);
    const int percent = percent_of_bytes([&] {
      const Result<report::RunResult> run = resolve_and_simulate(s);
      return run.ok() ? run->expected.bytes : 0;
    });
    CHECK(percent > 50);
    CHECK(percent < 200);
  }
}

TEST_CASE("an evaluation needs what a run does without its accounts, within a factor of two" *
          doctest::skip(!kMeasured)) {
  for (const auto& [name, sets] : {std::pair<const char*, std::vector<std::string>>{"megatron-530b-280xa100", {}},
                                   {"llama3-405b-16384xh100", long_ring()}}) {
    CAPTURE(std::string(name));
    const Scenario s = loaded(name, sets);
    const int percent = percent_of_bytes([&] {
      const Result<Run> ready = resolve(s, Catalogue::shared());
      if (!ready.ok()) return 0.0;
      const program::Footprint size = footprint(ready->scenario());
      EvaluationCosts costs;
      return evaluate(*ready, costs).ok() ? size.bytes - size.accounts : 0;
    });
    CHECK(percent > 50);
    CHECK(percent < 200);
  }
}

TEST_CASE("where memory is short for the accounts of a run, it can be evaluated") {
  const Scenario s = loaded("quickstart-8gpu", {"network=steady"});
  const program::Footprint size = footprint(s);
  REQUIRE(size.accounts > 1e5);
  const Bytes limit{static_cast<std::int64_t>(size.bytes - size.accounts / 2)};
  CHECK(!resolve(s, Catalogue::shared(), {.memory_limit = limit}).ok());
  const Result<Run> ready = resolve(s, Catalogue::shared(), {.memory_limit = limit, .evaluated = true});
  REQUIRE(ready.ok());
  EvaluationCosts costs;
  costs.memory_limit = limit;
  CHECK(evaluate(*ready, costs).ok());
  costs.memory_limit = Bytes{static_cast<std::int64_t>((size.bytes - size.accounts) / 2)};
  const Result<Evaluation> refused = evaluate(*ready, costs);
  REQUIRE(!refused.ok());
  CHECK(refused.errors().front().message.starts_with("the run needs about "));
}

TEST_CASE("the number of tasks is known before they are made, within a factor of two" * doctest::skip(!kMeasured)) {
  for (const char* name : {"quickstart-8gpu", "quickstart-16gpu", "mpt-7b-fsdp-8xa100", "megatron-1.7b-ddp-32xa100",
                           "megatron-22b-8xa100", "bloom-176b-384xa100"})
    for (const char* network : {"steady", "flows"}) {
      if (std::string(network) == "flows" && std::string(name).starts_with("bloom")) continue;
      const Scenario s = loaded(name, {std::string("network=") + network});
      for (const bool every_rank : {false, true}) check_tasks(s, played(every_rank, true));
      check_tasks(s, played(false, false));
    }
}

TEST_CASE("so is that of random scenarios") {
  Random random(2026);
  const char* schedules[] = {"1f1b", "gpipe", "eager_1f1b", "interleaved_1f1b", "zb_h1", "dualpipe", "looped_bfs"};
  const char* stacks[] = {"megatron-2022", "megatron-2024", "torchtitan-2024", "nanotron", "megatron-deepspeed-2022"};
  const char* zeros[] = {"none", "optimizer", "gradients", "parameters"};
  for (int i = 0, draws = testing::draws(60); i < draws; ++i) {
    const int tensor = 1 << random.below(3), pipeline = 1 << random.below(3), data = 16 / tensor / pipeline;
    if (data < 1) continue;
    const std::string schedule = schedules[random.below(7)];
    const bool chunked = schedule == "interleaved_1f1b" || schedule == "looped_bfs";
    if (schedule == "dualpipe" && pipeline < 2) continue;
    const int micro_batches = pipeline * static_cast<int>(2 + random.below(7));
    std::vector<std::string> sets{"layout={tensor: " + std::to_string(tensor) +
                                      ", pipeline: " + std::to_string(pipeline) + ", data: " + std::to_string(data) +
                                      ", virtual: " + (chunked && pipeline > 1 ? "2" : "1") +
                                      ", zero: " + zeros[random.below(4)] + "}",
                                  "training.global_batch=" + std::to_string(micro_batches * data),
                                  "schedule=" + (pipeline == 1 ? "1f1b" : schedule),
                                  std::string("stack.type=") + stacks[random.below(5)],
                                  "stack.communication.messages=asynchronous",
                                  std::string("network=") + (random.below(3) == 0 ? "flows" : "steady")};
    const Result<Scenario> s = load_scenario(orrery::testing::source_dir() + "/scenarios/quickstart-16gpu.yaml", sets);
    if (!s.ok()) continue;
    CAPTURE(sets);
    check_tasks(*s, played(random.below(2) == 0, random.below(3) > 0));
  }
}

TEST_CASE("what is too large is refused before it is made, with its place and the likely mistake") {
  const auto refused = [](const std::string& name, const std::vector<std::string>& sets, Bytes limit) {
    const Result<Run> ready = load_run(orrery::testing::source_dir() + "/scenarios/" + name + ".yaml", sets,
                                       Catalogue::shared(), {.memory_limit = limit});
    if (!ready.ok()) return ready.errors().front();
    RunOptions options;
    options.memory_limit = limit;
    const Diagnostics errors = check_run(*ready, options);
    const Result<report::RunResult> run = simulate(*ready, options);
    CHECK(run.ok() == errors.empty());
    return errors.empty() ? Diagnostic{} : errors.front();
  };
  const Bytes limit{std::int64_t{4} << 30};
  const Diagnostic tokens = refused("llama3-405b-16384xh100", {"training.global_batch=16777216"}, limit);
  CHECK(tokens.path == "training.global_batch");
  CHECK(tokens.help == "is it given in tokens? It counts sequences: 16777216 tokens are 2048 sequences of 8192");
  const Diagnostic many = refused("quickstart-8gpu", {"training.global_batch=1600000"}, limit);
  CHECK(many.path == "training.global_batch");
  CHECK(many.help.starts_with("it counts sequences, not tokens: 1600000 of them are 800000 micro-batches"));
  const Diagnostic flows = refused("llama3-405b-16384xh100", {"network=flows"}, limit);
  CHECK(flows.path == "network");
  CHECK(flows.help == "network: steady plays ranks that are alike once");
  CHECK(flows.place.file == "--set");
  CHECK(refused("quickstart-8gpu", {}, limit).message.empty());
  CHECK(refused("quickstart-8gpu", {}, {1 << 20}).path == "layout");  // nothing makes it so small
}

TEST_CASE("what is slow for a part of the step is played step by step, and refused where that is too large") {
  const std::vector<std::string> sets{"network=steady", "training.global_batch=4096"};
  std::vector<std::string> passing = sets;
  passing.emplace_back("perturb=[{device: 3, compute_factor: 0.5, until: 1 s}]");
  const double whole = footprint(loaded("quickstart-16gpu", sets), {}).bytes;
  const double steps = footprint(loaded("quickstart-16gpu", passing), {}).bytes;
  CHECK(steps > 2 * whole);
  const Result<Run> ready = resolve(loaded("quickstart-16gpu", passing), Catalogue::shared(),
                                    {.memory_limit = Bytes{static_cast<std::int64_t>(2 * whole)}});
  REQUIRE(!ready.ok());
  CHECK(ready.errors().front().path == "perturb");
  CHECK(ready.errors().front().help ==
        "without `from` and `until`, passes are played whole: say what is slow for all of the step");
}

TEST_CASE("there is some memory, and of it a part is the limit") {
  CHECK(available_memory().value > 0);
  CHECK(default_memory_limit().value < available_memory().value);
}

}  // namespace orrery::scenario::size_test
