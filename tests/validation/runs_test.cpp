// Training runs as rows of a table: twenty of them (tests/data/validation), and what must not reach the predictor.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "orrery/core/csv.hpp"
#include "orrery/cost/kernel_cost.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/validation/validate.hpp"
#include "paths.hpp"

namespace orrery::validation::runs_test {

namespace {

const std::string kSample = orrery::testing::source_dir() + "/tests/data/validation/runs_sample.csv";

CsvTable sample() {
  const Result<CsvTable> table = read_csv_file(kSample);
  REQUIRE_MESSAGE(table.ok(), (table.ok() ? std::string() : render(table.errors())));
  return *table;
}

std::string text_of(const CsvTable& table) {
  std::string text;
  const auto add = [&](const std::vector<CsvCell>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) text += (i == 0 ? "" : ",") + csv_field(cells[i].text);
    text += '\n';
  };
  add(table.header);
  for (const auto& row : table.rows) add(row);
  return text;
}

Report report_of(const CsvTable& table, int threads = 0) {
  const Result<Report> report = validate_table(text_of(table), "sample.csv", {.expected = {}, .threads = threads});
  REQUIRE_MESSAGE(report.ok(), (report.ok() ? std::string() : render(report.errors())));
  return *report;
}

}  // namespace

TEST_CASE("twenty published runs are predicted, one is refused with its reason") {
  const Report report = report_of(sample());
  REQUIRE(report.rows.size() == 20);
  CHECK(report.kind == FileKind::runs);
  for (const Row& row : report.rows) {
    CAPTURE(row.id);
    if (row.id == "ultra-0844") {
      CHECK(row.why == "layout.pipeline: 32 stages for a model of 28 layers");
      continue;
    }
    CHECK(row.why.empty());
    const double measured = std::get<double>(row.figures[0].reference),
                 predicted = std::get<double>(row.figures[0].predicted);
    CHECK(std::abs(predicted / measured - 1) < 0.35);  // the worst of them is 26 % off
    CHECK(std::get<double>(row.figures[1].predicted) > 1);
  }
  CHECK(report.groups.front().figures.front().all.mape < 0.12);
}

TEST_CASE("of two schedules of one configuration the faster is predicted to be") {
  const CsvTable table = [] {
    const auto read = read_csv_file(orrery::testing::source_dir() + "/tests/data/validation/schedule_pairs.csv");
    REQUIRE_MESSAGE(read.ok(), (read.ok() ? std::string() : render(read.errors())));
    return *read;
  }();
  const Report report = report_of(table);
  CHECK(report.refused() == 0);
  const Statistics& all = report.groups.front().figures.front().all;
  CHECK(all.schedule_pairs == 15);
  REQUIRE(all.schedule_concordance.has_value());
  CHECK(*all.schedule_concordance >= 0.9);
}

TEST_CASE("only configuration columns reach the predictor") {
  const CsvTable before = sample();
  CsvTable after = before;
  // Rows in another order, ids shuffled among them, everything else that is no configuration blank.
  std::reverse(after.rows.begin(), after.rows.end());
  const auto id = static_cast<std::size_t>(after.column("id"));
  for (std::size_t i = 0; i < after.rows.size(); ++i) after.rows[i][id].text = before.rows[(7 * i + 3) % 20][id].text;
  const std::set<std::string> blank{"source", "notes", "step_time_s", "peak_memory_gib", "memory_kind", "tier"};
  for (std::size_t c = 0; c < after.header.size(); ++c)
    if (blank.contains(after.header[c].text))
      for (auto& row : after.rows) row[c].text.clear();
  const Report a = report_of(before), b = report_of(after);
  for (std::size_t i = 0; i < a.rows.size(); ++i) {
    const Row& row = a.rows[i];
    const Row& same = b.rows[a.rows.size() - 1 - i];
    CAPTURE(row.id);
    CHECK(row.why == same.why);
    CHECK(row.figures[0].predicted == same.figures[0].predicted);
    CHECK(same.figures[0].reference.index() == 0);
    CHECK(row.figures[1].predicted == same.figures[1].predicted);
  }
}

TEST_CASE("a configuration column does reach the predictor") {
  CsvTable table = sample();
  const Report before = report_of(table);
  table.rows[0][static_cast<std::size_t>(table.column("layers"))].text = "144";  // twice as many
  CHECK(std::get<double>(report_of(table).rows[0].figures[0].predicted) >
        1.6 * std::get<double>(before.rows[0].figures[0].predicted));
}

TEST_CASE("the result does not depend on the number of threads") {
  CHECK(to_json(report_of(sample(), 1)) == to_json(report_of(sample(), 3)));
}

TEST_CASE("the JSON of a file of runs") {
  CsvTable table = sample();
  const auto json = nlohmann::json::parse(to_json(report_of(table)));
  CHECK(json["schema"] == "orrery.validate/1");
  CHECK(json["kind"] == "runs");
  REQUIRE(json["rows"].size() == 20);
  std::set<std::string> keys;
  for (const auto& row : json["rows"])
    for (const auto& [key, value] : row.items()) keys.insert(key);
  CHECK(keys == std::set<std::string>{"id", "measured_step_time_s", "predicted_step_time_s", "measured_peak_memory_gib",
                                      "predicted_peak_memory_gib", "split_s", "memory_gib"});
  for (const auto& row : json["rows"]) {  // the categories of the mean rank sum to the step
    if (!row.contains("split_s")) continue;
    double sum = 0;
    for (const auto& [name, seconds] : row["split_s"].items()) sum += seconds.get<double>();
    CHECK(sum == doctest::Approx(row["predicted_step_time_s"].get<double>()).epsilon(1e-6));
  }
  REQUIRE(json["refused"].size() == 1);
  CHECK(json["refused"][0]["id"] == "ultra-0844");
  CHECK(json["counts"] ==
        nlohmann::json{{"rows", 20}, {"predicted", 19}, {"refused", 1}, {"equal", 0}, {"unequal", 0}});
  const auto& all = json["groups"][0];
  CHECK(all["name"] == "all");
  CHECK(all["rows"] == 19);
  for (const char* key : {"mape", "median_abs_error", "p90_abs_error", "bias"}) CHECK(all[key].is_number());
  CHECK(all["tier_a"]["rows"].get<int>() < 19);
  CHECK(all["peak_memory_gib"]["rows"].get<int>() > 0);
  std::set<std::string> ways;
  for (const auto& group : json["groups"]) ways.insert(group["by"].get<std::string>());
  CHECK(ways == std::set<std::string>{"all", "stack", "prefix"});
}

TEST_CASE("mistakes of a table are all named with line and column") {
  const auto errors = [](const CsvTable& table) {
    const Result<Report> report = validate_table(text_of(table), "sample.csv", {});
    REQUIRE_FALSE(report.ok());
    return render(report.errors());
  };
  CsvTable table = sample();
  const auto set = [&](std::size_t row, const char* column, const char* text) {
    table.rows[row][static_cast<std::size_t>(table.column(column))].text = text;
  };
  set(0, "tp", "eight");
  set(2, "recompute", "some");  // a word: refuses its row alone, no error of the file
  set(3, "step_time_s", "-nan");
  const std::string text = errors(table);
  CHECK(text.find("sample.csv:2:") != std::string::npos);
  CHECK(text.find("tp: 'eight' is not a whole number from 1 to 1048576") != std::string::npos);
  CHECK(text.find("recompute") == std::string::npos);
  CHECK(text.find("sample.csv:5:") != std::string::npos);

  CsvTable narrow = sample();
  narrow.header[static_cast<std::size_t>(narrow.column("dtype"))].text = "type";
  CHECK(errors(narrow).find("sample.csv:1:1: the column 'dtype' is missing") != std::string::npos);
  CHECK_FALSE(validate_table("a,b\n1\n", "x.csv", {}).ok());
  const Result<Report> unknown = validate_table("a,b\n1,2\n", "x.csv", {});
  REQUIRE_FALSE(unknown.ok());
  CHECK(render(unknown.errors()).find("its columns are those of no table known here") != std::string::npos);
}

// The first row of the sample alone, which has a pipeline.
struct OneRow {
  CsvTable table = sample();
  OneRow() {
    table.rows.resize(1);
    REQUIRE(cell("pp") != "1");
  }
  std::string& cell(const char* column) { return table.rows[0][static_cast<std::size_t>(table.column(column))].text; }
  double memory(const char* kind) {
    cell("memory_kind") = kind;
    return std::get<double>(report_of(table).rows[0].figures[1].predicted);
  }
};

TEST_CASE("memory of the last rank is that of the last stage, not of the fullest") {
  OneRow row;
  const double fullest = row.memory("allocated"), last = row.memory("allocated_last_rank");
  CHECK(last > 1);
  CHECK(last < fullest);
}

// With one large micro-batch and a large vocabulary the stage of the loss is the fullest.
TEST_CASE("memory that nanotron prints is that of its first rank, not of the fullest") {
  OneRow row;
  row.cell("stack") = "nanotron", row.cell("attention") = "flash";
  row.cell("vocab") = "400000", row.cell("micro_batch") = "16";
  row.cell("global_batch") = std::to_string(std::stoll(row.cell("dp")) * 16);
  const double fullest = row.memory("reserved"), first = row.memory("tool-reported");
  CHECK(first > 1);
  CHECK(first < fullest);
}

// The table of another day: words that are not known here, in one row each, beside rows that are sound.
TEST_CASE("a word, GPU, cluster or stack that is not known refuses its row, by reason, and no other") {
  CsvTable table = sample();
  const std::vector<std::pair<const char*, const char*>> words{
      {"gpu", "a100-sxm-81gb"}, {"cluster", "selena"},   {"stack", "megatron-1999"},
      {"dtype", "int3"},        {"recompute", "partly"}, {"partition", "custom"},
      {"attention", "linear"},  {"schedule", "2f2b"},    {"memory_kind", "guessed"}};
  const std::vector<std::vector<CsvCell>> rows = table.rows;
  for (const auto& [column, word] : words) {
    std::vector<CsvCell> row = rows[0];
    row[static_cast<std::size_t>(table.column(column))].text = word;
    table.rows.push_back(row);
  }
  table.rows.push_back(table.rows.back());  // the same reason twice
  const Report report = report_of(table), before = report_of(sample());
  CHECK(report.refused() == before.refused() + 10);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& why = report.rows[rows.size() + i].why;
    CAPTURE(why);
    CHECK(why.find(words[i].second) != std::string::npos);
    CHECK(why.find("; unknown") == std::string::npos);  // each once
  }
  for (std::size_t i = 0; i < rows.size(); ++i)
    CHECK(report.rows[i].figures[0].predicted == before.rows[i].figures[0].predicted);
  const auto json = nlohmann::json::parse(to_json(report));
  CHECK(json["counts"]["refused"] == 11);
  CHECK(json["refused_by_reason"].size() == 10);
  CHECK(json["refused_by_reason"].back()["rows"] == 2);
  CHECK(to_text(report).find("refused 2 (") != std::string::npos);
  CHECK(holds(*parse_condition("refused>10"), report).value());
  CHECK_FALSE(report.nothing_predicted());
}

TEST_CASE("what a row says of experts is simulated, or refuses it by name") {
  const auto first_row = [](std::vector<std::pair<std::string, std::string>> columns) {
    CsvTable table = sample();
    for (const auto& [column, value] : columns) {
      table.header.push_back({column, 1, 1});
      for (std::size_t i = 0; i < table.rows.size(); ++i) table.rows[i].push_back({i == 0 ? value : "", 1, 1});
    }
    return report_of(table).rows[0];
  };
  const std::vector<std::pair<std::string, std::string>> experts{{"experts", "8"}, {"top_k", "2"}};
  const auto with = [&](std::vector<std::pair<std::string, std::string>> more) {
    more.insert(more.begin(), experts.begin(), experts.end());
    return first_row(more);
  };
  const auto dense = first_row({}), sparse = with({});
  REQUIRE(dense.why.empty());
  REQUIRE_MESSAGE(sparse.why.empty(), sparse.why);
  CHECK(std::get<double>(sparse.figures[0].predicted) >
        std::get<double>(dense.figures[0].predicted));  // each token goes to two of them
  for (const char* dispatcher : {"alltoall", "allgather", "deepep", "hybridep"}) {
    CAPTURE(dispatcher);
    CHECK(with({{"dispatcher", dispatcher}}).why.empty());
  }
  CHECK(with({{"dispatcher", "pigeon"}}).why.starts_with("dispatcher: 'pigeon' is not known, allowed: alltoall, "));
  CHECK(with({{"ep_overlap", "1"}}).why.starts_with("ep_overlap: "));
  CHECK(first_row({{"pipeline_layout", "tL"}}).why ==
        "pipeline_layout: the embedding, E, stands at the beginning, and there alone");
}

TEST_CASE("of tables that nothing here predicts every row is counted") {
  const Result<Report> report = validate_table("id,quantity,value\na,1,2\nb,1,2\n", "x.csv", {});
  REQUIRE(report.ok());
  CHECK(report->kind == FileKind::goodput);
  CHECK(report->refused() == 2);
  CHECK(report->nothing_predicted());
  CHECK(to_text(*report).starts_with("refused 2 (a, b): not simulated: "));
  CHECK(nlohmann::json::parse(to_json(*report))["counts"]["predicted"] == 0);
}

TEST_CASE("kernels of another format than is known are refused, those of quantised operands have the cast in them") {
  const std::string header = "kernel,gpu,m,n,k,layout,out_dtype,dtype,peak_tflops,efficiency\n";
  const std::string shape = "gemm,h100-sxm-80gb,4096,4096,2048,TN,bf16,";
  const Result<Report> report =
      validate_table(header + shape + "fp8,1979,0.7\n" + shape + "fp8_block,1979,0.7\n" + shape + "nvfp3,1979,0.7\n" +
                         "gemm,b200-sxm-180gb,4096,4096,2048,TN,bf16,nvfp4,9000,0.3\n" +
                         "convolution,h100-sxm-80gb,4096,4096,4096,TN,bf16,,989,0.7\n",
                     "kernels.csv", {});
  REQUIRE(report.ok());
  CHECK(report->rows[2].why.starts_with("dtype: 'nvfp3' is not known"));
  CHECK(report->rows[4].why.starts_with("kernel: 'convolution' is not known"));

  // Operands and results of the product; 16-bit values read and what is written of them, by lone kernels.
  const std::int64_t m = 4096, n = 4096, k = 2048, values = m * k;
  const auto seconds_of = [&](const char* gpu, DType type, double rate, std::vector<std::int64_t> casts) {
    const hardware::Gpu device = hardware::load_gpu(gpu).value();
    cost::KernelModel burst = cost::load_kernel_model(gpu).value();
    cost::KernelModel constants = burst;
    burst.sustained = burst.fp8_sustained = 1;
    if (!constants.tables_under_load) constants = burst;
    constants.gemm.rate.fp8 *= rate;
    model::Kernel product{.kind = model::KernelKind::gemm, .dtype = type, .out_dtype = DType::bf16};
    product.m = m, product.n = n, product.k = k, product.flops = {2 * m * n * k};
    product.bytes = {stored_bytes(type, (m + n) * k) + 2 * m * n};
    Time time = cost::kernel_time(device, constants, product);
    for (const std::int64_t bytes : casts)
      time += cost::kernel_time(device, burst, {.kind = model::KernelKind::memory, .bytes = {bytes}});
    return static_cast<double>(time.value) * 1e-12;
  };
  const auto predicted = [&](std::size_t row, double peak) {
    return static_cast<double>(2 * m * n * k) / (std::get<double>(report->rows[row].figures[0].predicted) * peak);
  };
  CHECK(predicted(0, 1979e12) ==
        doctest::Approx(seconds_of("h100-sxm-80gb", DType::fp8, 1, {3 * values, 2 * values})).epsilon(1e-9));
  CHECK(predicted(1, 1979e12) ==
        doctest::Approx(seconds_of("h100-sxm-80gb", DType::fp8, 0.6, {3 * values})).epsilon(1e-9));
  CHECK(predicted(3, 9000e12) ==
        doctest::Approx(seconds_of("b200-sxm-180gb", DType::fp4, 1, {2 * values + values * 9 / 16})).epsilon(1e-9));
}

TEST_CASE("an unknown GPU, cluster or stack refuses its row only") {
  CsvTable table = sample();
  table.rows[0][static_cast<std::size_t>(table.column("gpu"))].text = "a100-sxm-81gb";
  table.rows[1][static_cast<std::size_t>(table.column("stack"))].text = "megatron-1999";
  const Report report = report_of(table);
  CHECK(report.refused() == 3);
  CHECK(report.rows[0].why.find("a100-sxm-81gb") != std::string::npos);
  CHECK(report.rows[1].why.find("megatron-1999") != std::string::npos);
}

}  // namespace orrery::validation::runs_test
