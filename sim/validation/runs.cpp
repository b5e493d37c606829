#include <fmt/format.h>

#include "kinds.hpp"
#include "mechanisms.hpp"
#include "run_playing.hpp"
#include "run_scenario.hpp"

namespace orrery::validation {
namespace {

// Of runs.csv and runs_moe.csv.
constexpr const char* kColumns =
    "id source model layers hidden heads kv_heads ffn_hidden gated_mlp tied_embeddings vocab seq_len gpu cluster gpus "
    "gpus_per_node tp pp vp dp cp micro_batch global_batch schedule partition recompute sequence_parallel zero_stage "
    "attention dtype grad_bytes stack compile p2p_scatter_gather overlap_dp overlap_tp cuda_graph experts top_k "
    "expert_hidden shared_experts shared_expert_hidden expert_parallel expert_tensor_parallel first_k_dense "
    "moe_layer_interval dispatcher routing ep_overlap head_dim q_lora_rank kv_lora_rank qk_nope_head_dim "
    "qk_rope_head_dim v_head_dim mtp_layers sliding_window position pipeline_layout step_time_s peak_memory_gib "
    "memory_kind tier notes";

// Prefixes of ids as the table's README lists them; vtrain has two kinds of models.
constexpr const char* kPrefixes[] = {"meg2020",      "sc21",          "korth", "zb",       "smx",
                                     "vtrain-multi", "vtrain-single", "bloom", "nemo2401", "nemo2405",
                                     "nemo",         "tt-old",        "tt",    "mpt",      "ultra"};

std::string prefix_of(const std::string& id) {
  for (const char* prefix : kPrefixes)
    if (id.starts_with(prefix)) return prefix;
  return id.substr(0, id.find_first_of("-_"));
}

// Layouts of one model on as many GPUs with one batch: users choose among them.
std::string alternatives(const Cells& cells) {
  std::string key;
  for (const char* column : {"stack", "model", "layers", "hidden", "heads", "kv_heads", "ffn_hidden", "vocab",
                             "seq_len", "gpu", "cluster", "gpus", "global_batch", "dtype"})
    key += cells.text(column) + '\n';
  return key;
}

// Everything that reaches the predictor but the schedule and its virtual stages.
std::string same_but_schedule(const Cells& cells) {
  std::string key = alternatives(cells);
  for (const char* column : {"gated_mlp", "tied_embeddings", "gpus_per_node", "tp", "pp", "dp", "cp", "micro_batch",
                             "partition", "recompute", "sequence_parallel", "zero_stage", "attention", "grad_bytes",
                             "compile", "p2p_scatter_gather", "overlap_dp", "overlap_tp"})
    key += (cells.has(column) ? cells.text(column) : "") + '\n';
  return key;
}

std::string in_words(const Cells& cells) {
  std::string text = fmt::format("{} {}×{}", cells.text("model"), cells.text("gpus"), cells.text("gpu"));
  for (const auto& [column, name] : {std::pair{"tp", "TP"}, {"cp", "CP"}, {"pp", "PP"}, {"vp", "VP"}, {"dp", "DP"}})
    if (const std::string degree = cells.text(column); !degree.empty() && degree != "1")
      text += fmt::format(" {}{}", name, degree);
  return text +
         fmt::format(" mb{} gb{} {}", cells.text("micro_batch"), cells.text("global_batch"), cells.text("recompute"));
}

Row row_of(const Cells& cells, std::size_t number) {
  Row row;
  row.id = cells.has("id") ? cells.text("id") : std::to_string(number);
  row.figures = figures_of_run(cells.positive("step_time_s"), cells.positive("peak_memory_gib"));
  row.groups.emplace_back("stack", cells.text("stack"));
  if (cells.has("id")) row.groups.emplace_back("prefix", prefix_of(row.id));
  const std::string tier = cells.text("tier");
  row.counts = tier != "C";
  row.in_subset = tier == "A";
  row.alternatives = alternatives(cells);
  row.same_but_schedule = same_but_schedule(cells);
  row.schedule = cells.text("schedule") + ' ' + (cells.has("vp") ? cells.text("vp") : "");
  row.what = in_words(cells);
  return row;
}

MemoryKind memory_kind(const Cells& cells) {
  const std::string kind = cells.text("memory_kind");
  if (kind == "allocated") return MemoryKind::allocated;
  if (kind == "allocated_last_rank") return MemoryKind::allocated_last_rank;
  const Dialect& dialect = dialect_of(cells.text("stack"));
  if ((kind.empty() || kind == "tool-reported") && dialect.reports_first_rank) return MemoryKind::reserved_first_rank;
  if (kind == "reserved" || (kind == "tool-reported" && !dialect.reports_process)) return MemoryKind::reserved;
  if (kind == "tool-reported" || (kind.empty() && dialect.reports_process)) return MemoryKind::process;
  if (!kind.empty())
    cells.refuse_row(
        "memory_kind",
        fmt::format("'{}' is not known, allowed: allocated, allocated_last_rank, reserved, tool-reported", kind));
  return dialect.reports_reserved ? MemoryKind::reserved : MemoryKind::allocated;
}

}  // namespace

Result<std::vector<Row>> run_rows(const CsvTable& table, const Options& options) {
  Diagnostics errors;
  require_columns(table,
                  {"model", "layers", "hidden", "heads", "vocab", "seq_len", "gpu", "cluster", "gpus", "tp", "pp", "dp",
                   "micro_batch", "global_batch", "schedule", "recompute", "attention", "dtype", "stack"},
                  errors);
  refuse_misspelt(table, kColumns, errors);
  const auto without = mechanisms_of(options.without, table.name, errors);
  if (!errors.empty()) return errors;
  Catalogue& catalogue = Catalogue::shared();
  std::vector<Row> rows;
  std::vector<Job> jobs(table.rows.size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const Cells cells(table, i, errors);
    rows.push_back(row_of(cells, i + 1));
    jobs[i].memory = memory_kind(cells);
    Result<scenario::Scenario> scenario = scenario_of(cells, catalogue);
    rows.back().why = cells.why();
    if (!scenario.ok()) rows.back().why += (cells.why().empty() ? "" : "; ") + reason(scenario.errors());
    if (!rows.back().why.empty()) continue;
    jobs[i].scenario = std::move(scenario).value();
    for (const Mechanism* mechanism : without) mechanism->take_away(*jobs[i].scenario);
  }
  if (!errors.empty()) return errors;
  play_rows(jobs, options, rows);
  return rows;
}

}  // namespace orrery::validation
