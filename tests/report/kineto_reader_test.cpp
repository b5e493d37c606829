// What of a profiler's trace is read, event by event, and values that no profiler writes.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "orrery/report/trace_diff.hpp"

namespace orrery::report::kineto_reader_test {

namespace {

Result<TracedRank> read(const std::string& events, const std::string& head = "") {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("orrery_kineto_" + std::to_string(::getpid()))).string();
  std::ofstream(path, std::ios::binary) << "{" << head << "\"traceEvents\": [" << events << "]}";
  Result<TracedRank> rank = read_kineto(path);
  std::filesystem::remove(path);
  return rank;
}

std::string kernel(const std::string& name, const std::string& rest) {
  return R"({"ph":"X","cat":"kernel","name":")" + name + "\"," + rest + "},";
}
std::string step(int from, int dur) {
  return R"({"ph":"X","cat":"user_annotation","name":"ProfilerStep#1","ts":)" + std::to_string(from) +
         ",\"dur\":" + std::to_string(dur) + "}";
}

// "name begin end", ns.
std::string kernels(const Result<TracedRank>& rank) {
  REQUIRE_MESSAGE(rank.ok(), render(rank.errors()));
  std::string all;
  for (const TracedKernel& k : rank->kernels)
    all += k.name + " " + std::to_string(k.begin) + " " + std::to_string(k.end) + "; ";
  return all;
}

}  // namespace

TEST_CASE("a kernel belongs to the step that it was launched in, or where nobody launched it, that it began in") {
  const std::string launch =
      R"({"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","ts":95,"dur":1,"args":{"correlation":7}},)";
  const std::string late = kernel("late", R"("ts":120,"dur":1.5,"args":{"correlation":7})");
  CHECK(kernels(read(late + launch + step(10, 90))) == "late 120000 121500; ");
  CHECK(kernels(read(kernel("a", R"("ts":10,"dur":1)") + kernel("b", R"("ts":100,"dur":1)") +
                     kernel("c", R"("ts":9.999,"dur":5)") + step(10, 90))) == "a 10000 11000; ");  // [10, 100)
  // The driver launches, too; a launch without a correlation is of nobody.
  std::string driver = launch;
  driver.replace(driver.find("cuda_runtime"), 12, "cuda_driver");
  CHECK(kernels(read(late + driver + step(10, 90))) == "late 120000 121500; ");
  CHECK_FALSE(read(late + step(10, 90)).ok());
  // One that says no correlation was not launched by that which is numbered 0.
  std::string zero = launch;
  zero.replace(zero.find("\"correlation\":7"), 15, "\"correlation\":0");
  CHECK(kernels(read(kernel("b", R"("ts":100,"dur":1)") + zero + kernel("a", R"("ts":20,"dur":1)") + step(10, 90))) ==
        "a 20000 21000; ");
}

TEST_CASE("of several steps the last is left out, whatever their order in the file") {
  const std::string three = kernel("a", R"("ts":15,"dur":1)") + kernel("b", R"("ts":25,"dur":1)") +
                            kernel("c", R"("ts":35,"dur":1)") + step(30, 10) + "," + step(10, 10) + "," + step(20, 10);
  const auto rank = read(three);
  CHECK(kernels(rank) == "a 15000 16000; b 25000 26000; ");
  CHECK(rank->steps == 2);
  CHECK(read(kernel("a", R"("ts":15,"dur":1)") + step(10, 10))->steps == 1);
}

TEST_CASE("copies and fills are kernels; what is no complete event with a name is nothing") {
  std::string copy = kernel("Memcpy HtoD", R"("ts":15,"dur":1)"), fill = kernel("Memset", R"("ts":16,"dur":1)");
  copy.replace(copy.find("\"kernel\""), 8, "\"gpu_memcpy\"");
  fill.replace(fill.find("\"kernel\""), 8, "\"gpu_memset\"");
  const std::string nothing =
      R"(3,"x",null,{},{"ph":"X"},{"ph":"X","cat":"kernel","name":4,"ts":15},{"ph":"B","cat":"kernel","name":"x","ts":15},)"
      R"({"ph":"X","cat":"cpu_op","name":"x","ts":15},{"ph":"X","cat":["kernel"],"name":"x","ts":15},)";
  const auto rank = read(copy + fill + nothing + step(10, 10));
  CHECK(kernels(rank) == "Memcpy HtoD 15000 16000; Memset 16000 17000; ");
  CHECK(rank->kernels[0].kind == KernelKind::memory);
}

TEST_CASE("values of another type are none: no time, no correlation") {
  CHECK(kernels(read(kernel("a", R"("ts":"15","dur":null,"args":{"correlation":"7"})") +
                     kernel("b", R"("ts":15,"dur":1e300,"args":[7])") + step(0, 20))) == "a 0 0; b 15000 15000; ");
}

TEST_CASE("the rank is an integer, or 0 where nobody says it") {
  const std::string events = kernel("a", R"("ts":15,"dur":1)") + step(10, 10);
  CHECK(read(events)->rank == 0);
  CHECK(read(events, R"("distributedInfo": {"rank": 12, "world_size": 16}, )")->rank == 12);
  CHECK(read(events, R"("distributedInfo": 3, )")->rank == 0);
  CHECK(read(events, R"("distributedInfo": {"backend": "nccl"}, )")->rank == 0);
  for (const char* odd : {"\"3\"", "-1", "1.5", "null", "[1]", "2147483648", "18446744073709551615"}) {
    CAPTURE(odd);
    const auto rank = read(events, R"("distributedInfo": {"rank": )" + std::string(odd) + "}, ");
    REQUIRE(!rank.ok());
    CHECK(rank.errors().front().message ==
          "distributedInfo.rank: " + std::string(odd) + " is no rank, expected an integer of at least 0");
  }
}

// Two kernels of a kind that overlap count once; compute [0, 10) and [5, 12), communication [8, 20), in [0, 20): 12 and
// 12, together [8, 12), alone [12, 20); memory [20, 25) counts for the span alone.
TEST_CASE("figures of unions") {
  TracedRank rank;
  rank.kernels = {{"a", KernelKind::compute, 0, 10},
                  {"b", KernelKind::compute, 5, 12},
                  {"nccl", KernelKind::communication, 8, 20},
                  {"Memset", KernelKind::memory, 20, 25}};
  const TraceFigures f = figures_of(rank);
  CHECK(f.span == 25);
  CHECK(f.compute == 12);
  CHECK(f.communication == 12);
  CHECK(f.overlap == 4);
  CHECK(f.exposed == 8);
  CHECK(f.memory == 5);
  CHECK(f.idle == 0);
}

}  // namespace orrery::report::kineto_reader_test
