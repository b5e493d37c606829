// orrery sweep SCENARIO: plays every layout of a space and ranks them.
#include "orrery/sweep/sweep.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "mpi.hpp"
#include "orrery/core/file.hpp"
#include "orrery/sweep/store.hpp"
#include "progress.hpp"
#include "report_option.hpp"
#include "scenario_options.hpp"
#include "sweep_output.hpp"
#include "sweep_page.hpp"

namespace orrery::cli {
namespace {

struct SweepCommand {
  ScenarioOptions scenario;
  std::string space, csv, jsonl, store, shard, report;
  PlotOption plot;
  std::vector<std::string> where, merge;
  int top = 10, threads = 0, verify = 0;
  std::int64_t sample = 0, seed = 1;
  bool json = false, force = false, no_prune = false, no_sensitivity = false, reserved = false;
};

// --space replaces the dimensions of the section `sweep`, not its conditions.
Result<sweep::Space> space_of(const SweepCommand& options, const YamlTree& tree) {
  Result<sweep::Space> section = sweep::read_space(tree, Catalogue::shared());
  if (!section.ok() || (options.space.empty() && !section->dimensions.empty())) return section;
  Result<sweep::Space> space = sweep::read_space(options.space, tree, Catalogue::shared());
  if (space.ok()) space->where = std::move(section->where);
  return space;
}

Result<std::vector<sweep::Condition>> conditions_of(const SweepCommand& options, const sweep::Space& space) {
  std::vector<sweep::Condition> conditions;
  Diagnostics errors;
  const auto add = [&](const std::string& text, const char* said_in) {
    Result<sweep::Condition> condition = sweep::Condition::parse(text, said_in);
    if (condition.ok())
      conditions.push_back(std::move(condition).value());
    else
      errors.insert(errors.end(), condition.errors().begin(), condition.errors().end());
  };
  for (const std::string& text : space.where) add(text, "sweep.where");
  for (const std::string& text : options.where) add(text, "--where");
  if (!errors.empty()) return errors;
  return conditions;
}

// The files that take a row for each point.
struct RowFiles {
  std::optional<OutputFile> csv, jsonl;

  Diagnostics open(const SweepCommand& options, const sweep::Space& space) {
    const auto create = [&](const std::string& path, std::optional<OutputFile>& into) -> Diagnostics {
      if (path.empty()) return {};
      Result<OutputFile> file = OutputFile::create(path, options.force);
      if (!file.ok()) return file.errors();
      into.emplace(std::move(file).value());
      return {};
    };
    if (Diagnostics errors = create(options.csv, csv); !errors.empty()) return errors;
    if (csv) csv->write(sweep_csv_header(space));
    return create(options.jsonl, jsonl);
  }
  void add(const sweep::Row& row, const sweep::Space& space) {
    if (csv) csv->write(sweep_csv_row(row, space));
    if (jsonl) jsonl->write(sweep_json_row(row, space));
  }
  Diagnostics commit() {
    if (csv)
      if (Diagnostics errors = csv->commit(); !errors.empty()) return errors;
    return jsonl ? jsonl->commit() : Diagnostics();
  }
  bool any() const { return csv || jsonl; }
};

// --shard 2/8: the second of eight parts.
bool read_shard(const std::string& text, sweep::Options& options) {
  if (text.empty()) return true;
  std::int64_t part = 0, parts = 0;
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos || !parse_integer(text.substr(0, slash), part).empty() ||
      !parse_integer(text.substr(slash + 1), parts).empty() || part < 1 || parts < part || parts > 1'000'000)
    return false;
  options.shard = static_cast<int>(part);
  options.shards = static_cast<int>(parts);
  return true;
}

int merge(const SweepCommand& options, const Console& console) {
  if (!options.scenario.path.empty()) {
    console.complain("orrery sweep: --merge takes stores, and no scenario",
                     "orrery sweep --merge a.sqlite --merge b.sqlite --store all.sqlite");
    return kWrong;
  }
  const Result<std::int64_t> layouts = sweep::merge_stores(options.merge, options.store);
  if (!layouts.ok()) return console.refuse(layouts.errors());
  console.say(fmt::format("{}: {} layouts\n", options.store.empty() ? options.merge.front() : options.store, *layouts));
  return kOk;
}

void say_verified(const sweep::Verified& verified, const Console& console) {
  console.say(fmt::format("verified: {} equal, {} different, {} too large to play every rank of\n", verified.equal,
                          verified.different.size(), verified.too_large));
  for (const std::string& different : verified.different)
    console.complain("orrery sweep: a layout is not what it was: " + different, "this is a bug in Orrery");
}

sweep::Options options_of(const SweepCommand& options, std::vector<sweep::Condition> where) {
  sweep::Options how;
  how.where = std::move(where);
  how.top = static_cast<std::size_t>(options.top);
  how.threads = static_cast<unsigned>(options.threads);
  how.prune = !options.no_prune && options.csv.empty() && options.jsonl.empty();
  how.sample = options.sample;
  how.seed = static_cast<std::uint64_t>(options.seed);
  how.verify = static_cast<std::size_t>(options.verify);
  how.sensitivity = !options.no_sensitivity;
  how.reserved = options.reserved;
  how.memory_limit = options.scenario.memory_limit;
  return how;
}

// What every process of a sweep reads for itself.
struct Prepared {
  YamlTree tree;
  sweep::Space space;
  sweep::Options how;
};

Diagnostic wrong(std::string message, std::string help) {
  Diagnostic d;
  d.message = std::move(message);
  d.help = std::move(help);
  return d;
}

Result<Prepared> prepare(const SweepCommand& options, bool several) {
  const std::string& path = options.scenario.path;
  if (path.empty()) return wrong("SCENARIO is required", "orrery sweep scenarios/megatron-22b-8xa100.yaml");
  if (path == "-" && several)
    return wrong("standard input goes to one process of several", "write the scenario to a file that all can read");
  Result<YamlTree> tree = scenario::scenario_tree(path, options.scenario.sets);
  if (!tree.ok()) return tree.errors();
  Result<sweep::Space> space = space_of(options, *tree);
  if (!space.ok()) return space.errors();
  Result<std::vector<sweep::Condition>> conditions = conditions_of(options, *space);
  if (!conditions.ok()) return conditions.errors();
  sweep::Options how = options_of(options, std::move(conditions).value());
  if (several && options.threads == 0) how.threads = 1;  // there is a process for each processor
  if (!read_shard(options.shard, how))
    return wrong(fmt::format("--shard '{}' is no part of a whole", options.shard),
                 "--shard 2/8 is the second of eight parts; the first is 1/8, the last 8/8");
  return Prepared{std::move(tree).value(), std::move(space).value(), std::move(how)};
}

// The processes that play for the first. What ends one of them ends all: mpirun sees to that.
int play_for(const SweepCommand& options, sweep::Peers& peers, const Console& console) {
  try {
    const Result<Prepared> ready = prepare(options, true);
    if (!ready.ok()) {
      sweep::cannot_serve(ready.errors(), peers);
      return kWrong;
    }
    const Diagnostics errors = sweep::serve(ready->tree, ready->space, Catalogue::shared(), ready->how, peers);
    return errors.empty() ? kOk : kWrong;
  } catch (const std::exception& bug) {
    console.complain(fmt::format("orrery sweep: {}", bug.what()), "this is a bug in Orrery");
    std::_Exit(kInternal);
  }
}

// Sends the others home wherever the first gives up before it sweeps.
struct Leave {
  sweep::Peers* peers;
  ~Leave() {
    if (peers) sweep::dismiss(*peers);
  }
};

int sweep_scenario(const SweepCommand& options, sweep::Peers* peers, const Console& console) {
  Leave leave{peers};
  if (const Diagnostics wrong_page = check_report(options.report, options.force); !wrong_page.empty())
    return console.refuse(wrong_page);
  if (const Diagnostics plot = check_plot(options.plot, options.force); !plot.empty()) return console.refuse(plot);
  Result<Prepared> ready = prepare(options, peers != nullptr);
  if (!ready.ok()) return console.refuse(ready.errors());
  auto& [tree, space, how] = ready.value();
  std::optional<sweep::Store> store;
  if (!options.store.empty()) {
    Result<sweep::Store> opened =
        sweep::Store::open(options.store, sweep::Store::identity(tree, space, Catalogue::shared(), options.reserved));
    if (!opened.ok()) return console.refuse(opened.errors());
    store.emplace(std::move(opened).value());
    how.store = &*store;
  }
  RowFiles files;
  if (const Diagnostics errors = files.open(options, space); !errors.empty()) return console.refuse(errors);
  std::vector<sweep::Row> rows;  // for the page and the picture
  const bool drawn = !options.report.empty() || !options.plot.path.empty();
  if (files.any() || drawn)
    how.row = [&, &space = space](const sweep::Row& row) {
      if (files.any()) files.add(row, space);
      if (drawn) rows.push_back(row);
    };
  Progress progress(console, "sweep");
  how.progress = [&](std::int64_t done, std::int64_t of) {
    progress.update(static_cast<std::size_t>(done), static_cast<std::size_t>(of), "points");
  };
  how.peers = std::exchange(leave.peers, nullptr);
  const Result<sweep::Outcome> outcome = sweep::sweep(tree, space, Catalogue::shared(), how);
  progress.clear();
  if (!outcome.ok()) return console.refuse(outcome.errors());
  if (const Diagnostics errors = files.commit(); !errors.empty()) return console.refuse(errors);
  const SweepShown shown{options.scenario.path, options.scenario.sets, &tree, how.top};
  const bool talk =
      is_standard_output(options.csv) || is_standard_output(options.jsonl) || is_standard_output(options.plot.path);
  const std::string text = options.json ? sweep_json(*outcome, shown) : sweep_text(*outcome, shown);
  talk ? console.say(text) : console.print(text);
  if (!options.report.empty())
    if (const int code = write_report(
            sweep_page(*outcome, rows, "Sweep of " + std::filesystem::path(options.scenario.path).filename().string()),
            options.report, options.force, console);
        code != kOk)
      return code;
  if (!options.plot.path.empty())
    if (const int code = write_plot(options.plot, sweep_chart(*outcome, rows, options.plot.chart),
                                    "heat takes tensor and pipeline in --space, scaling several numbers of nodes or "
                                    "GPUs, and all of them a layout that is played",
                                    options.force, console);
        code != kOk)
      return code;
  if (options.verify > 0) say_verified(outcome->verified, console);
  if (!outcome->verified.different.empty()) return kInternal;
  if (!outcome->best.empty()) return kOk;
  console.complain("orrery sweep: no layout fits",
                   outcome->nearest ? "the nearest, and what it lacks, is said above"
                                    : "every point contradicts itself or a condition: see the reasons above");
  return kNo;
}

int run(const SweepCommand& options, const Console& console) {
  if (!options.merge.empty()) return merge(options, console);
  const Result<MpiRun> processes = mpi_run();
  if (!processes.ok()) return console.refuse(processes.errors());
  sweep::Peers* peers = processes->peers.get();
  return processes->rank > 0 ? play_for(options, *peers, console) : sweep_scenario(options, peers, console);
}

}  // namespace

Action add_sweep(Arguments& app, const Console& console) {
  auto o = std::make_shared<SweepCommand>();
  add_scenario_options(app, o->scenario, false);
  app.add_option("--space", o->space,
                 "what to go over: KEY=VALUES apart by ';', values apart by commas, as ranges (1..8, 8..64*2), all or "
                 "auto (what divides); default: the scenario's section sweep, else every layout that divides");
  app.add_option("--where", o->where, "only layouts of which this holds, any number of times: 'memory <= 76 GiB'")
      .repeated();
  app.add_option("--top", o->top, "how many of the best are shown").range(1, 100'000);
  app.add_option("--csv", o->csv, "write a row for each point (- for standard output); nothing is pruned then");
  app.add_option("--jsonl", o->jsonl, "the same as one JSON object a line");
  add_report_option(app, o->report);
  add_plot_option(app, o->plot, {kSweepCharts.begin(), kSweepCharts.end()});
  app.add_flag("--force", o->force, "replace existing files");
  app.add_flag("--json", o->json, "one JSON object instead of the table");
  app.add_option("--threads", o->threads, "layouts played at once, default all processors (same result)")
      .range(1, 1024);
  app.add_option("--sample", o->sample, "only so many points of the space, drawn at random").range(1, 100'000'000);
  app.add_option("--seed", o->seed, "of the sample").range(0, 2'000'000'000);
  app.add_option("--store", o->store,
                 "keep results in this file (SQLite) and go on with those in it, after an interruption or another day");
  app.add_option("--shard", o->shard, "play only this part of the layouts, such as 2/8, for job arrays");
  app.add_option("--merge", o->merge,
                 "instead of a sweep: make one of the stores of its parts, in --store, else in the first")
      .repeated();
  app.add_option("--verify", o->verify, "play so many of the layouts again, every rank and kernel, event by event")
      .range(0, 1'000'000);
  app.add_flag("--reserved", o->reserved,
               "follow the caching allocator on every GPU (slower): memory is what it reserves, not what is allocated");
  app.add_flag("--no-sensitivity", o->no_sensitivity,
               "do not play the best with 10 % more of each resource, nor what would make the fastest fit");
  app.add_flag("--no-prune", o->no_prune, "play layouts too that a bound shows not to be the best");
  app.footer("Exit code: 0 a layout fits; 1 none does; 2 the input is wrong; 3 a bug in Orrery.");
  return [o, &console] { return run(*o, console); };
}

}  // namespace orrery::cli
