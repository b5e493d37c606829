// Attention of a table where memory decides: 16 tokens, so many heads that operands outweigh the products.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/validation/validate.hpp"

namespace orrery::validation::kernel_rows_test {

namespace {

double efficiency(const char* kernel, int heads, int kv_heads, const char* dtype = "") {
  const auto report = validate_table(
      fmt::format("kernel,gpu,batch,m,n,k,layout,accumulate,out_dtype,dtype,seq_len,heads,kv_heads,qk_head_dim,"
                  "v_head_dim,contiguous,peak_tflops,efficiency,source\n"
                  "{},b200-sxm-180gb,2,,,,,,bf16,{},16,{},{},256,256,1,2250,0.1,x\n",
                  kernel, dtype, heads, kv_heads),
      "kernels.csv", {.expected = {}, .threads = 1});
  REQUIRE_MESSAGE(report.ok(), render(report.errors()));
  REQUIRE_MESSAGE(report->rows[0].why.empty(), report->rows[0].why);
  return std::get<double>(report->rows[0].figures[0].predicted);
}

}  // namespace

// Forward q, k, v are read and the result written, 2 bytes each: 2 · 2 · 16 · (256 + 256) · (heads + key heads), 1.1
// times over at 8 TB/s; backward twice that, 2 times over. FLOPs 2 · 2 · heads · 512 · 16², backward 2.5 times that.
TEST_CASE("fused attention bound by memory, by hand") {
  for (const auto& [heads, kv_heads] : {std::pair{65'536, 65'536}, std::pair{65'536, 32'768}}) {
    const double bytes = 2.0 * 2 * 16 * 512 * (heads + kv_heads), flops = 2.0 * 2 * heads * 512 * 256;
    CHECK(efficiency("attention_forward", heads, kv_heads) * (27e-6 + 1.1 * bytes / 8e12) ==
          doctest::Approx(flops / 2.25e15).epsilon(1e-6));
    CHECK(efficiency("attention_backward", heads, kv_heads) * (13.6e-6 + 2 * 2 * bytes / 8e12) ==
          doctest::Approx(2.5 * flops / 2.25e15).epsilon(1e-6));
  }
}

// Before it q, k, v are read and written once, 2 bytes each: 2 · 2 · 2 · 16 · (256 heads + 512 key heads), at 0.67 of
// 8 TB/s behind a start of 2.5 us. Rows without a `dtype` and backward ones have no cache.
TEST_CASE("attention of an inference engine turns queries and keys and writes its cache") {
  constexpr int kHeads = 65'536;
  for (const int kv_heads : {kHeads, kHeads / 2}) {
    const double work = 2.0 * 2 * kHeads * 512 * 256 / 2.25e15;
    const auto seconds = [&](const char* dtype) {
      return work / efficiency("attention_forward", kHeads, kv_heads, dtype);
    };
    const double bytes = 2.0 * 2 * 2 * 16 * (256.0 * kHeads + 512.0 * kv_heads);
    CHECK(seconds("bf16") - seconds("") == doctest::Approx(2.5e-6 + bytes / (0.67 * 8e12)).epsilon(1e-6));
    CHECK(efficiency("attention_backward", kHeads, kv_heads, "bf16") ==
          efficiency("attention_backward", kHeads, kv_heads));
  }
}

}  // namespace orrery::validation::kernel_rows_test
