// Bounds of the constants of kernels: the last that is taken, the first that is refused.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/cost/kernel_model.hpp"

namespace orrery::kernel_bounds_test {

namespace {

bool taken(const std::string& section) {
  const auto tree = read_yaml_text("name: x\nsource: here\n" + section + "\n", "k.yaml");
  REQUIRE(tree.ok());
  return read(cost::kernel_model_fields(), *tree, tree->root()).ok();
}

}  // namespace

TEST_CASE("constants of kernels stay within their bounds") {
  const auto attention = [](const char* field, const char* value) {
    return taken(fmt::format("attention: [{{library: cudnn, forward: {{{}: {}}}}}]", field, value));
  };
  CHECK(attention("rows", "16"));
  CHECK(!attention("rows", "15"));
  CHECK(attention("rows", "1024"));
  CHECK(!attention("rows", "1025"));
  CHECK(attention("rate_128", "0"));
  CHECK(attention("rate_128", "1"));
  CHECK(!attention("rate_128", "1.01"));
  CHECK(!attention("rate_64", "-0.01"));
  CHECK(!attention("rate_wide", "1.01"));
  CHECK(attention("blocks_per_multiprocessor", "0.5"));
  CHECK(!attention("blocks_per_multiprocessor", "0.4"));
  CHECK(attention("blocks_per_multiprocessor", "8"));
  CHECK(!attention("blocks_per_multiprocessor", "8.1"));
  CHECK(attention("traffic_factor", "10"));
  CHECK(!attention("traffic_factor", "10.1"));
  struct Range {
    const char *field, *least, *below, *most, *above;
  };
  for (const Range& r :
       {Range{"tn", "0.1", "0.09", "2", "2.1"}, Range{"nn", "0.1", "0.09", "2", "2.1"},
        Range{"nt", "0.1", "0.09", "2", "2.1"}, Range{"small_tile_cost", "0", "-1", "10", "10.1"},
        Range{"exposed_epilogue", "0", "-1", "10", "10.1"}, Range{"wave_smoothing", "0", "-0.1", "1", "1.1"},
        Range{"misaligned_rate", "0.01", "0.009", "1", "1.1"},
        Range{"memory_efficiency", "0.01", "0.009", "1", "1.1"}}) {
    CAPTURE(std::string(r.field));
    const auto gemm = [&](const char* value) { return taken(fmt::format("gemm: {{{}: {}}}", r.field, value)); };
    CHECK(gemm(r.least));
    CHECK(!gemm(r.below));
    CHECK(gemm(r.most));
    CHECK(!gemm(r.above));
  }
  CHECK(taken("sustained: 0.1"));
  CHECK(!taken("sustained: 0.09"));
  CHECK(!taken("sustained: 1.01"));
  CHECK(taken("memory: {efficiency: 0.01}"));
  CHECK(!taken("memory: {efficiency: 1.01}"));
}

}  // namespace orrery::kernel_bounds_test
