// Tables, prices and powers are data: a user's file stands before that which comes with Orrery, and its mistakes are
// told.
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "../golden.hpp"
#include "answers.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/planning/glossary.hpp"
#include "orrery/planning/model_kinds.hpp"
#include "orrery/planning/rule_of_thumb.hpp"
#include "orrery/planning/scaling.hpp"
#include "orrery/planning/sweep_plan.hpp"

namespace orrery::planning::user_tables_test {
namespace {

namespace fs = std::filesystem;

// A folder of the user's, named by an environment variable while it lives.
struct UserFolder {
  explicit UserFolder(const char* variable) : name(variable) {
    fs::create_directories(path);
    ::setenv(name, path.c_str(), 1);
  }
  ~UserFolder() {
    ::unsetenv(name);
    fs::remove_all(path);
  }
  UserFolder(const UserFolder&) = delete;
  UserFolder& operator=(const UserFolder&) = delete;
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((path / file).parent_path());
    std::ofstream(path / file) << text;
  }
  const char* name;
  fs::path path = fs::temp_directory_path() / ("orrery_tables_" + std::to_string(::getpid()));
};

template <class T>
std::string refusal(const Result<T>& result) {
  REQUIRE_FALSE(result.ok());
  return render(result.errors());
}

bool has(const std::string& text, const std::string& what) {
  CAPTURE(text);
  return text.find(what) != std::string::npos;
}

TEST_CASE("a user's rule of thumb is counted with in place of the notes'") {
  const UserFolder folder("ORRERY_SCENARIOS");
  folder.write("planning/rule_of_thumb.yaml",
               "source: mine\n"
               "gpus: [{name: g1, price_usd_per_hour: 2, peak: 100 TFLOP/s, memory: 10 GB, peak_is: made up}]\n"
               "models: [{name: gpt2, parameters: 1e9}]\n");
  Catalogue catalogue;
  const Answer a = value_of(thumb_plan({"gpt2", {}, 36e9, "g1", 0.5}, catalogue));
  // 3.6e19 over 5e13 · 3600: 200 hours, 400 dollars.
  CHECK(number(a, "gpu_hours", "n_d") == doctest::Approx(200));
  CHECK(number(a, "cost_usd", "n_d") == doctest::Approx(400));
  CHECK(says(a, "mine"));
  CHECK(mistake_of(thumb_plan({"gpt2", {}, 1e9, "a100", 0.5}, catalogue)).message.find("g1") != std::string::npos);
}

TEST_CASE("mistakes in a user's table have their place") {
  const UserFolder folder("ORRERY_SCENARIOS");
  folder.write("planning/rule_of_thumb.yaml",
               "source: mine\n"
               "gpus: [{name: g1, price_usd_per_hour: -2, peak: 100 TFLOP/s, memory: 10 GB}]\n");
  Catalogue one;
  const std::string price = refusal(load_thumb_table(one));
  CHECK(has(price, "rule_of_thumb.yaml:2:"));
  CHECK(has(price, "gpus[0].price_usd_per_hour"));
  folder.write("planning/rule_of_thumb.yaml", "gpus: [{name: g1, prise_usd_per_hour: 2}]\n");
  Catalogue two;
  CHECK(has(refusal(load_thumb_table(two)), "did you mean 'price_usd_per_hour'?"));
}

TEST_CASE("laws can be added, those that others build on cannot be left out") {
  const UserFolder folder("ORRERY_SCENARIOS");
  const std::string laws =
      "laws:\n"
      "  - {name: chinchilla, is: a, source: b, tokens_per_parameter: 20}\n"
      "  - {name: kaplan, is: a, source: b, anchor_flops: 1e20, anchor_parameters: 1e9, exponent: 0.7}\n";
  const std::string third =
      "  - {name: hoffmann-3, is: a, source: b, loss: {e: 1.69, a: 406.4, b: 410.7, alpha: 0.34, beta: 0.28}}\n";
  const std::string rest =
      "kaplan_loss: {nc: 8.8e13, dc: 5.4e13, alpha_n: 0.076, alpha_d: 0.095}\nkaplan_data_exponent: 0.74\n";
  folder.write("planning/scaling_laws.yaml", laws + rest);
  Catalogue without;
  CHECK(has(refusal(load_scaling(without)), "must have hoffmann-3"));
  folder.write("planning/scaling_laws.yaml", laws + "  - {name: hoffmann-3, is: a, source: b}\n" + rest);
  Catalogue bare;
  CHECK(has(refusal(load_scaling(bare)), "hoffmann-3 must have a loss"));
  folder.write("planning/scaling_laws.yaml",
               laws + third + "  - {name: llama-3, is: a, source: b, tokens_per_parameter: 40}\n" + rest);
  Catalogue more;
  const ScalingTable table = value_of(load_scaling(more));
  // N = √(C/6/40).
  CHECK(optimum_of(*table.find("llama-3"), 2.4e23).parameters == doctest::Approx(std::sqrt(1e21)));
  SweepPlan unsaid{"gpt2", "dgx-a100", {8}};
  unsaid.run = RunPlan{1e9};
  CHECK(has(refusal(plan_layouts(unsaid, more)), "the scaling laws have no critical_batch"));
  folder.write("planning/scaling_laws.yaml", laws + third + "  - {name: no-source, is: a}\n" + rest);
  Catalogue unsourced;
  CHECK(has(refusal(load_scaling(unsourced)), "source"));
}

TEST_CASE("constants of laws are positive, each named with its range") {
  const UserFolder folder("ORRERY_SCENARIOS");
  const std::string text = testing::read_text(testing::source_dir() + "/scenarios/planning/scaling_laws.yaml");
  const auto with = [&](const std::string& was, const std::string& is) {
    REQUIRE(has(text, was));
    std::string changed = text;
    changed.replace(changed.find(was), was.size(), is);
    folder.write("planning/scaling_laws.yaml", changed);
    Catalogue catalogue;
    const Result<ScalingTable> table = load_scaling(catalogue);
    return table.ok() ? std::string() : render(table.errors());
  };
  CHECK(with("e: 1.69", "e: 1.7") == "");
  for (const auto& [was, is, key] : std::initializer_list<std::array<const char*, 3>>{
           {"e: 1.69", "e: -1.69", "loss.e: expected a number from "},
           {"a: 406.4", "a: -406.4", "loss.a: expected a number from "},
           {"b: 410.7", "b: 0", "loss.b: expected a number from "},
           {"nc: 8.8e13", "nc: -8.8e13", "kaplan_loss.nc: expected a number from "},
           {"dc: 5.4e13", "dc: 0", "kaplan_loss.dc: expected a number from "},
           {"alpha_n: 0.076", "alpha_n: -0.076", "kaplan_loss.alpha_n: expected a number from "},
           {"alpha_d: 0.095", "alpha_d: 0", "kaplan_loss.alpha_d: expected a number from "},
           {"kaplan_data_exponent: 0.74", "kaplan_data_exponent: -0.74",
            "kaplan_data_exponent: expected a number from "}})
    CHECK_MESSAGE(has(with(was, is), key), with(was, is));
}

TEST_CASE("words, kinds and published runs can be a user's, too") {
  const UserFolder folder("ORRERY_SCENARIOS");
  folder.write("planning/glossary.yaml", "terms: [{term: quark, also: [quarks], is: 'A constituent of protons.'}]\n");
  folder.write("planning/model_kinds.yaml", "kinds: [{name: mamba, is: i, trained: t, named_after: n, examples: e}]\n");
  folder.write("planning/published.yaml",
               "models: [{name: Mine, parameters: 1e9, tokens: 1e9}]\n"
               "compute: [{name: Mine, parameters: 1e9, tokens: 14.4e9, flops_per: 6, petaflop_days: 1}]\n");
  Catalogue catalogue;
  CHECK(value_of(explain_terms("Quarks", nullptr, catalogue)).parts.size() == 1);
  CHECK(value_of(model_kind("mamba", catalogue)).trained == "t");
  CHECK(mistake_of(model_kind("decoder", catalogue)).message == "'decoder' is not known, allowed are mamba");
  const AnswerTable t = table(value_of(planning_table("optimal", catalogue)), "models");
  REQUIRE(t.rows.size() == 1);
  CHECK(t.rows[0][5].text == "too little");  // 1 token a parameter
  // 6 · 10⁹ · 14.4 · 10⁹ = 8.64e19.
  CHECK(number(cell_of(table(value_of(planning_table("compute", catalogue)), "runs"), "Mine", "petaflop_days").value) ==
        doctest::Approx(1));
}

TEST_CASE("a GPU's price and power are those of its YAML, with whose and when") {
  const UserFolder folder("ORRERY_TOPOLOGIES");
  folder.write("gpus/mine.yaml",
               "type: a100-sxm-80gb\nprice_usd_per_hour: 0.5\nprice_source: \"my cellar, 2026\"\npower_watts: 300\n");
  Catalogue catalogue;
  const hardware::Gpu gpu = value_of(hardware::load_gpu("mine", catalogue));
  CHECK(gpu.price_usd_per_hour == 0.5);
  CHECK(gpu.price_source == "my cellar, 2026");
  CHECK(gpu.power_watts == 300);
}

TEST_CASE("every price of the catalogue has its source with a date, and no GPU a source without a price") {
  Catalogue catalogue;
  std::size_t priced = 0;
  for (const std::string& name : hardware::gpu_names()) {
    CAPTURE(name);
    const hardware::Gpu gpu = value_of(hardware::load_gpu(name, catalogue));
    CHECK((gpu.price_usd_per_hour > 0) == !gpu.price_source.empty());
    CHECK(gpu.power_watts > 0);
    if (gpu.price_usd_per_hour == 0) continue;
    ++priced;
    CHECK(gpu.price_source.find("20") != std::string::npos);
    CHECK(gpu.price_usd_per_hour < 20);
  }
  CHECK(priced >= 20);
}

}  // namespace
}  // namespace orrery::planning::user_tables_test
