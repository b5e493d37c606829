#include "trace_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "orrery/core/file.hpp"
#include "orrery/core/gzip.hpp"

namespace orrery::cli {
namespace {

using report::TraceSummary;

template <class Names>
std::size_t index_of(const Names& names, const std::string& name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

bool names_gzip(const std::string& path) {
  return path.ends_with(".gz");
}

Diagnostic about(std::string path, std::string message, std::string help) {
  Diagnostic d;
  d.place.file = std::move(path);
  d.message = std::move(message), d.help = std::move(help);
  return d;
}

// A file as text, or compressed where its name says so.
struct Written {
  TraceSummary summary;
  std::int64_t bytes = 0;
};
template <class Write>
Result<Written> write_file(const std::string& path, bool force, Write&& write) {
  Result<OutputFile> file = OutputFile::create(path, force);
  if (!file.ok()) return file.errors();
  Written written;
  const auto out = [&](std::string_view part) {
    file->write(part);
    written.bytes += static_cast<std::int64_t>(part.size());
  };
  if (names_gzip(path)) {
    GzipWriter gzip(out);
    written.summary = write([&](std::string_view part) { gzip.write(part); });
    gzip.close();
  } else {
    written.summary = write(out);
  }
  if (Diagnostics errors = file->commit(); !errors.empty()) return errors;
  return written;
}

std::string size_text(std::int64_t bytes) {
  return bytes < 1'000'000 ? fmt::format("{} kB", (bytes + 999) / 1000)
                           : fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string thousands(std::int64_t n) {
  std::string text = std::to_string(n);
  for (std::size_t i = text.size(); i > 3;) text.insert(i -= 3, ",");
  return text;
}

// "ranks 0, 4, 8 and 12": of many the first ones.
std::string ranks_text(const std::vector<std::int32_t>& ranks) {
  constexpr std::size_t kShown = 8;
  std::string text = ranks.size() == 1 ? "rank" : "ranks";
  for (std::size_t i = 0; i < std::min(ranks.size(), kShown); ++i)
    text += fmt::format("{} {}", i == 0 ? "" : i + 1 == ranks.size() ? " and" : ",", ranks[i]);
  return ranks.size() > kShown ? fmt::format("{}, … ({} of them)", text, ranks.size()) : text;
}

void say_written(const TraceChoice& choice, const TraceSummary& all, std::int64_t bytes, const Console& console) {
  const bool few = choice.ranks == "one-per-stage";
  console.say(fmt::format("trace: {}: {} events of {}{}, {}\n", choice.path, thousands(all.events),
                          ranks_text(all.ranks), few ? ", one a stage (--trace-ranks all: every one)" : "",
                          size_text(bytes)));
  if (all.devices_left_out > 0)
    console.say(fmt::format("trace: {} more ranks are left out, at most {} events are written (--trace-events)\n",
                            all.devices_left_out, thousands(choice.most_events)));
}

int write_chrome(const report::RunResult& run, const TraceChoice& choice, const report::TraceOptions& options,
                 bool force, const Console& console) {
  const Result<Written> written =
      write_file(choice.path, force, [&](const auto& out) { return report::write_trace(run, options, out); });
  if (!written.ok()) return console.refuse(written.errors());
  say_written(choice, written->summary, written->bytes, console);
  if (!is_standard_output(choice.path))
    console.say("trace: open it at https://ui.perfetto.dev (nothing leaves the browser) or in chrome://tracing\n");
  return kOk;
}

// One file a rank, in a folder that is made where it is not there.
int write_kineto(const report::RunResult& run, const TraceChoice& choice, const report::TraceOptions& options,
                 bool force, const Console& console) {
  std::error_code error;
  std::filesystem::create_directories(choice.path, error);
  if (error) return console.refuse({about(choice.path, "the folder cannot be made: " + error.message(), {})});
  TraceSummary all;
  std::int64_t bytes = 0;
  for (const program::DeviceIndex device : options.devices) {
    const std::string path = fmt::format("{}/rank-{}.json.gz", choice.path, run.program.devices[device].ranks.front());
    const Result<Written> written =
        write_file(path, force, [&](const auto& out) { return report::write_kineto(run, device, out); });
    if (!written.ok()) return console.refuse(written.errors());
    all.events += written->summary.events, bytes += written->bytes;
    all.ranks.push_back(run.program.devices[device].ranks.front());
  }
  say_written(choice, all, bytes, console);
  console.say("trace: HolisticTraceAnalysis reads the folder: TraceAnalysis(trace_dir=\"" + choice.path + "\")\n");
  return kOk;
}

}  // namespace

void add_trace_options(Arguments& app, TraceChoice& choice) {
  const auto names = [](const auto& list) { return std::vector<std::string>(list.begin(), list.end()); };
  app.add_option("--trace", choice.path,
                 "write the timeline as a trace: FILE.json or FILE.json.gz (- for standard output; the report goes to "
                 "stderr then)");
  app.add_option(
         "--trace-format", choice.format,
         "chrome: one file for Perfetto and chrome://tracing (default); kineto: a folder with a file a rank, as "
         "PyTorch's profiler writes them")
      .one_of(names(report::kTraceFormatNames));
  app.add_option("--trace-detail", choice.detail, "how far into the passes it looks, default stage")
      .one_of(names(report::kTraceDetailNames));
  app.add_option("--trace-ranks", choice.ranks, "which ranks: 0,8-15, all or one-per-stage (default)");
  app.add_option("--trace-events", choice.most_events, "at most so many events, default 1000000")
      .range(1000, 100'000'000);
}

Diagnostics check_trace(const TraceChoice& choice) {
  if (choice.path.empty() || choice.format == "chrome") return {};
  const bool file = choice.path.ends_with(".json") || names_gzip(choice.path) || is_standard_output(choice.path) ||
                    std::filesystem::is_regular_file(choice.path);
  if (!file) return {};
  return {about(choice.path, "--trace-format kineto writes one file a rank, so --trace must name a folder",
                "`--trace traces` makes the folder traces")};
}

int write_trace_files(const report::RunResult& run, const TraceChoice& choice, bool force, const Console& console) {
  const Result<std::vector<program::DeviceIndex>> devices = report::trace_devices(run, choice.ranks);
  if (!devices.ok()) return console.refuse(devices.errors());
  const report::TraceOptions options{
      static_cast<report::TraceDetail>(index_of(report::kTraceDetailNames, choice.detail)), *devices,
      choice.most_events};
  return choice.format == "kineto" ? write_kineto(run, choice, options, force, console)
                                   : write_chrome(run, choice, options, force, console);
}

}  // namespace orrery::cli
