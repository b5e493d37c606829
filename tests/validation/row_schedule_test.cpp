// The schedule of a row of runs.csv as the scenario that predicts it.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/core/csv.hpp"
#include "validation/run_scenario.hpp"

namespace orrery::validation::row_schedule_test {

namespace {

constexpr const char* kHead =
    "id,source,model,layers,hidden,heads,kv_heads,ffn_hidden,gated_mlp,tied_embeddings,vocab,seq_len,gpu,cluster,gpus,"
    "gpus_per_node,tp,pp,vp,dp,cp,micro_batch,global_batch,schedule,partition,recompute,sequence_parallel,zero_stage,"
    "attention,dtype,grad_bytes,stack,compile,p2p_scatter_gather,overlap_dp,overlap_tp,step_time_s,peak_memory_gib,"
    "memory_kind,tier,notes\n";
constexpr const char* kRun =
    "a,b,gpt,16,1024,16,16,4096,0,1,51200,1024,a100-sxm-80gb,selene,8,8,1,8,1,1,1,1,32,{},even,none,0,0,unfused,bf16,4,"
    "megatron-2023,0,0,0,0,1,,,A,\n";

scenario::Scenario of_schedule(const std::string& name) {
  const auto table = read_csv_text(kHead + fmt::format(fmt::runtime(kRun), name), "test");
  REQUIRE(table.ok());
  Diagnostics errors;
  Catalogue catalogue;
  const Cells cells(*table, 0, errors);
  const auto scenario = scenario_of(cells, catalogue);
  REQUIRE_MESSAGE(errors.empty(), render(errors));
  REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
  return *scenario;
}

}  // namespace

TEST_CASE("zb_1p and zb_2p are searches with memory for p and 2p micro-batches") {
  CHECK(of_schedule("zb_1p").schedule.type == "zb_auto");
  CHECK(of_schedule("zb_1p").schedule.memory_cap == 8);
  CHECK(of_schedule("zb_2p").schedule.type == "zb_auto");
  CHECK(of_schedule("zb_2p").schedule.memory_cap == 16);
  CHECK(of_schedule("none").schedule.type == "1f1b");
  CHECK(of_schedule("").schedule.type == "1f1b");
  CHECK(of_schedule("zb_h1").schedule.type == "zb_h1");
  CHECK(of_schedule("zbv").layout.virtual_stages == 2);
}

}  // namespace orrery::validation::row_schedule_test
