// Cells of a table, each with its type: what is taken, what is an error of the file, what refuses its row alone.
#include "validation/cells.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "validation/expert_cells.hpp"

namespace orrery::validation::cells_test {

namespace {

// One cell, in the second column of the third line.
struct One {
  explicit One(const std::string& cell)
      : table(*read_csv_text("# source\nid,x\na," + csv_field(cell) + "\n", "t.csv")), cells(table, 0, errors) {}
  CsvTable table;
  Diagnostics errors;
  Cells cells;
};

std::string refused(const One& one) {
  return one.errors.empty() ? "fine" : render(one.errors);
}

// A table of one row, of these names and cells.
struct Row {
  explicit Row(const std::string& text) : table(*read_csv_text(text, "t.csv")), cells(table, 0, errors) {}
  CsvTable table;
  Diagnostics errors;
  Cells cells;
};

}  // namespace

TEST_CASE("whole numbers from the lowest to the highest that is allowed, plainly written") {
  for (const auto& [text, value] : {std::pair{"3", 3}, {"12", 12}, {"7", 7}}) {
    const One one(text);
    CHECK(one.cells.integer("x", 3, 12) == value);
    CHECK(one.errors.empty());
  }
  for (const char* bad : {"2", "13", "-3", "+3", "3.0", "3e0", "03", "3 ", " 3", "x", "0x3", "99999999999999999999"}) {
    const One one(bad);
    CHECK(one.cells.integer("x", 3, 12) == 3);  // the row goes on
    CHECK(refused(one) == fmt::format("t.csv:3:3: x: '{}' is not a whole number from 3 to 12\n", bad));
  }
  const One zero("0"), less("-0");
  CHECK(zero.cells.integer("x", 0, 1) == 0);
  CHECK(less.cells.integer("x", -1, 1) == 0);
}

TEST_CASE("a blank is what it stands for, or an error; a column that is not there is no cell") {
  const One blank("");
  CHECK(blank.cells.integer("x", 3, 12, 99) == 99);
  CHECK(blank.errors.empty());
  CHECK_FALSE(blank.cells.number("x").has_value());
  CHECK_FALSE(blank.cells.positive("x").has_value());
  CHECK_FALSE(blank.cells.flag("x"));
  CHECK(blank.errors.empty());
  CHECK(blank.cells.integer("x", 3, 12) == 3);
  CHECK(refused(blank) == "t.csv:3:3: x: '' is not a whole number from 3 to 12\n");
  const One one("5");
  CHECK_FALSE(one.cells.has("y"));
  CHECK(one.cells.has("x"));
  CHECK(one.cells.text("y").empty());
  CHECK(one.cells.integer("y", 1, 4, 2) == 2);
  CHECK(one.cells.integer("y", 1, 4) == 1);  // require_columns() says that it is missing
  CHECK(one.errors.empty());
  const One bad("x");
  CHECK(bad.cells.integer("x", 3, 12, 99) == 99);
  CHECK(bad.errors.size() == 1);
}

TEST_CASE("numbers are nothing, 0, or of a size that can be measured") {
  for (const auto& [text, value] :
       {std::pair{"0", 0.0}, {"-0.0", 0.0}, {"1e-15", 1e-15}, {"-1e15", -1e15}, {"2.5", 2.5}}) {
    const One one(text);
    REQUIRE(one.cells.number("x").has_value());
    CHECK(*one.cells.number("x") == value);
    CHECK(one.errors.empty());
  }
  for (const char* bad : {"x", "1 ", " 1", "1,5", "nan", "inf", "-inf", "1e400", "1e", "+1"})
    CHECK(refused([&] {
            One one(bad);
            CHECK_FALSE(one.cells.number("x").has_value());
            return one;
          }()) != "fine");
  const One word("fast");
  CHECK_FALSE(word.cells.number("x").has_value());
  CHECK(refused(word) == "t.csv:3:3: x: 'fast' is not a number\n");
  for (const char* beyond : {"1.1e15", "-1.1e15", "9e-16", "-1e-300"}) {
    const One one(beyond);
    CHECK_FALSE(one.cells.number("x").has_value());
    CHECK(refused(one) ==
          fmt::format("t.csv:3:3: x: '{}' is no measurement, allowed: 0, or from 1e-15 to 1e+15\n", beyond));
  }
}

TEST_CASE("what must be above 0, and what is 0 or 1") {
  const One zero("0"), less("-2"), more("2");
  CHECK(more.cells.positive("x") == 2.0);
  CHECK(more.errors.empty());
  (void)zero.cells.positive("x"), (void)less.cells.positive("x");
  CHECK(refused(zero) == "t.csv:3:3: x: '0' is not above 0\n");
  CHECK(refused(less) == "t.csv:3:3: x: '-2' is not above 0\n");
  CHECK_FALSE(zero.cells.flag("x"));
  CHECK(One("1").cells.flag("x"));
  const One two("2");
  CHECK_FALSE(two.cells.flag("x"));
  CHECK(refused(two) == "t.csv:3:3: x: '2' is not a whole number from 0 to 1\n");
}

TEST_CASE("reasons to refuse a row are kept, each once, and are no errors of the file") {
  const One one("5");
  CHECK(one.cells.why().empty());
  one.cells.refuse_row("x", "is five");
  one.cells.refuse_row("y", "is not there");
  one.cells.refuse_row("x", "is five");
  CHECK(one.cells.why() == "x: is five; y: is not there");
  CHECK(one.errors.empty());
  one.cells.refuse("x", "is wrong", "make it six");
  CHECK(refused(one) == "t.csv:3:3: x: is wrong\n  help: make it six\n");
  CHECK_THROWS_AS(one.cells.refuse("y", "is wrong"), InternalError);
}

TEST_CASE("columns that are missing, and those that are nearly known") {
  const CsvTable table = *read_csv_text("# source\nid,layrs,colour,hidden\n", "t.csv");
  Diagnostics errors;
  require_columns(table, {"id", "layers", "hidden", "heads"}, errors);
  CHECK(render(errors) == "t.csv:2:1: the column 'layers' is missing\nt.csv:2:1: the column 'heads' is missing\n");
  errors.clear();
  refuse_misspelt(table, "id layers hidden heads", errors);  // colour is nobody's business
  CHECK(render(errors) == "t.csv:2:4: unknown column 'layrs'\n  help: did you mean 'layers'?\n");
}

namespace {

model::ModelSpec experts_of(const std::string& header, const std::string& cells, std::string& why) {
  const Row row(header + "\n" + cells + "\n");
  model::ModelSpec m;
  m.layers = 4, m.hidden = 64, m.heads = 4, m.kv_heads = 2, m.ffn_hidden = 96;
  read_experts(row.cells, m);
  why = row.errors.empty() ? row.cells.why() : render(row.errors);
  return m;
}

}  // namespace

TEST_CASE("experts of a row, and what follows where it does not say") {
  std::string why;
  CHECK(experts_of("id", "a", why).experts == model::Experts{});
  CHECK(experts_of("experts,top_k", "8,2", why).experts == model::Experts{.count = 8, .top_k = 2, .hidden = 96});
  CHECK(why.empty());
  const std::string all =
      "experts,top_k,expert_hidden,shared_experts,shared_expert_hidden,first_k_dense,moe_layer_interval";
  CHECK(experts_of(all, "8,8,32,2,,3,2", why).experts ==
        model::Experts{
            .count = 8, .top_k = 8, .hidden = 32, .shared = 2, .shared_hidden = 64, .first_dense = 3, .every = 2});
  CHECK(experts_of(all, "8,8,32,2,40,,", why).experts.shared_hidden == 40);
  CHECK(why.empty());
  experts_of("experts,top_k", "8,9", why);
  CHECK(why == "t.csv:2:3: top_k: '9' is not a whole number from 1 to 8\n");
  experts_of("experts,top_k,first_k_dense", "8,2,4", why);  // none of four would be left
  CHECK(why == "t.csv:2:5: first_k_dense: '4' is not a whole number from 0 to 3\n");
}

TEST_CASE("how tokens travel, what runs again, and whose launches cost nothing") {
  using layout::Dispatcher;
  const std::vector<std::pair<std::string, Dispatcher>> known{{"", Dispatcher::all_to_all},
                                                              {"alltoall", Dispatcher::all_to_all},
                                                              {"allgather", Dispatcher::all_gather},
                                                              {"deepep", Dispatcher::deepep},
                                                              {"hybridep", Dispatcher::hybridep}};
  for (const auto& [word, dispatcher] : known) {
    const Row row("id,dispatcher\na," + word + "\n");
    CHECK(read_dispatcher(row.cells) == dispatcher);
    CHECK(row.cells.why().empty());
  }
  const Row pigeons("id,dispatcher\na,pigeons\n");
  read_dispatcher(pigeons.cells);
  CHECK(!(pigeons.cells.why().empty() && pigeons.errors.empty()));
  const Row modules("id,recompute\na,modules:mlp+moe_act\n");
  CHECK(read_modules(modules.cells) ==
        std::vector<layout::RecomputeModule>{layout::RecomputeModule::mlp, layout::RecomputeModule::moe_act});
  const Row unknown("id,recompute\na,modules:mlp+brain\n");
  CHECK(read_modules(unknown.cells).size() == 1);
  CHECK(unknown.cells.why() == "recompute: 'brain' is no module of a layer");
  const Row graphs("id,cuda_graph\na,modules:attn+moe_router\n");
  cost::StackLaunch launch;
  read_graphs(graphs.cells, launch);
  CHECK(launch.mode == cost::LaunchMode::eager);
  CHECK(launch.graphs == std::vector<cost::GraphModule>{cost::GraphModule::attn, cost::GraphModule::moe_router});
}

TEST_CASE("latents, windows and modules that predict further, of a row") {
  std::string why;
  const std::string latent = "kv_lora_rank,q_lora_rank,qk_nope_head_dim,qk_rope_head_dim,v_head_dim";
  model::ModelSpec m = experts_of(latent, "24,30,12,4,10", why);
  CHECK(m.latent_attention == model::LatentAttention{30, 24, 12, 4, 10});
  CHECK(m.head_dim == 16);
  CHECK(m.kv_heads == 4);
  CHECK(experts_of(latent, "24,,12,4,10", why).latent_attention.query_rank == 0);
  m = experts_of(latent, "0,30,12,4,10", why);
  CHECK(m.latent_attention == model::LatentAttention{});
  CHECK(m.kv_heads == 2);
  experts_of(latent, "24,30,,4,10", why);
  CHECK(why == "t.csv:2:7: qk_nope_head_dim: '' is not a whole number from 1 to 65536\n");
  for (const char* wide : {"24,30,65537,4,10", "24,30,12,65537,10", "24,30,12,4,65537"}) {
    experts_of(latent, "24,30,65536,65536,65536", why);
    CHECK(why.empty());
    experts_of(latent, wide, why);
    CHECK(why.find("'65537' is not a whole number from 1 to 65536\n") != std::string::npos);
  }
  m = experts_of("mtp_layers,sliding_window", "2,128", why);
  CHECK(m.prediction_layers == 2);
  CHECK(m.attention_window == 128);
  CHECK(m.global_every == 2);
  CHECK(m.attention_sinks);
  CHECK_FALSE(experts_of("sliding_window", "0", why).attention_sinks);
}

TEST_CASE("degrees of the experts, and a pipeline that is written out") {
  const auto layout_of = [](const std::string& text, bool experts, std::string& why) {
    const Row row(text);
    model::ModelSpec m;
    m.layers = 4, m.experts.count = experts ? 8 : 0;
    layout::Layout l;
    l.tensor = 2;
    read_expert_layout(row.cells, m, l);
    why = row.errors.empty() ? row.cells.why() : render(row.errors);
    return l;
  };
  std::string why;
  layout::Layout l = layout_of("expert_parallel,expert_tensor_parallel\n4,2\n", true, why);
  CHECK(l.expert == 4);
  CHECK(l.expert_tensor == 2);
  CHECK(l.sequence_parallel);
  l = layout_of("expert_parallel,expert_tensor_parallel\n4,2\n", false, why);
  CHECK(l.expert == 1);
  CHECK_FALSE(l.sequence_parallel);
  l = layout_of("pipeline_layout\nEt|tt|tL\n", false, why);
  CHECK(l.partition == layout::Partition::explicit_layers);
  CHECK(l.layers_per_stage == std::vector<std::int64_t>{1, 2, 1});
  CHECK(why.empty());
  l = layout_of("pipeline_layout\nEtx|tL\n", false, why);
  CHECK(l.partition == layout::Layout{}.partition);
  CHECK(why == "pipeline_layout: 'x' at 3 is none of E, t, m, L, | and (…)");
}

}  // namespace orrery::validation::cells_test
