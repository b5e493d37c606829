// The books of a run, fed with a timeline, a split or a memory that cannot be: each is found and named.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "orrery/engine/account.hpp"
#include "orrery/program/schedule_program.hpp"

namespace orrery::engine::broken_books_test {

namespace {

struct Played {
  program::Program program;
  Timeline timeline;
  std::vector<Breakdown> split;
  std::vector<DeviceMemory> memory;
  Played() {
    schedule::ScheduleRequest request;
    request.ranks = 2, request.micro_batches = 3;
    const auto schedule = schedule::make_schedule(request);
    REQUIRE(schedule.ok());
    program::OperationTimes times;
    times.forward = {{10}, {12}}, times.input_gradient = {{9}, {9}}, times.weight_gradient = {{8}, {8}};
    times.message = {2};
    auto lowered = program::lower_schedule(*schedule, times, program::Release::weight_gradient);
    REQUIRE(lowered.ok());
    program = std::move(lowered).value();
    timeline = evaluate_one_pass(program);
    split = split_time(program, timeline);
    memory = memory_of(program, timeline);
  }
  std::vector<std::string> books() const { return audit(program, timeline, split, memory); }
};

// Other books may find the same fault from their side.
bool among(const std::vector<std::string>& books, const std::string& words) {
  return std::any_of(books.begin(), books.end(), [&](const std::string& line) { return line.starts_with(words); });
}

bool one_that_begins(const std::vector<std::string>& books, const std::string& words) {
  return books.size() == 1 && books[0].starts_with(words);
}

}  // namespace

TEST_CASE("the books of a whole run are empty") {
  CHECK(Played().books().empty());
}

TEST_CASE("the books say the same on any number of threads") {
  Played run;
  run.split[1][2] += 1;
  run.timeline.start[3] += 1;
  run.memory[0].peak += 5;
  const auto books = run.books();
  CHECK(books.size() > 3);
  for (const unsigned threads : {2, 5})
    CHECK(audit(run.program, run.timeline, run.split, run.memory, threads) == books);
}

TEST_CASE("the book of time: a device whose categories do not sum to the step") {
  for (const std::int64_t off : {1, -1})
    for (const std::size_t device : {0, 1}) {
      Played run;
      const std::int64_t step = run.timeline.step_time.value;
      run.split[device][2] += off;
      const auto books = run.books();
      REQUIRE(books.size() >= 1);
      CHECK(books[0] ==
            fmt::format("the time of device {} sums to {} ps, the step takes {} ps", device, step + off, step));
    }
}

TEST_CASE("the book of order: a task that starts before or after its last predecessor ends, or ends before it starts") {
  const Played whole;
  program::TaskId last = 0;  // nothing follows it
  for (program::TaskId t = 0; t < whole.program.tasks(); ++t)
    if (whole.timeline.end[t] > whole.timeline.end[last]) last = t;
  for (const std::int64_t off : {1, -1}) {
    Played run;
    run.timeline.start[last] += off;
    CHECK(among(run.books(), fmt::format("task {} starts at {} ps, its last predecessor ends at {} ps", last,
                                         whole.timeline.start[last] + off, whole.timeline.start[last])));
  }
  Played run;
  run.timeline.end[last] = run.timeline.start[last] - 1;
  CHECK(among(run.books(), fmt::format("task {} starts at", last)));
}

TEST_CASE("the book of memory: a class that does not end where it began") {
  for (const std::size_t of : {0, 3, 4}) {
    Played run;
    run.memory[1].at_end[of] += 5;
    CHECK(one_that_begins(run.books(), fmt::format("memory of device 1 ({}) ends at {} bytes, began at {}",
                                                   program::kMemoryClassNames[of], run.memory[1].at_end[of],
                                                   run.memory[1].at_end[of] - 5)));
  }
}

}  // namespace orrery::engine::broken_books_test
