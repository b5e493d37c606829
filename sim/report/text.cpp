// The report as text: the answer first, then where the time went, what limits it, and the stages.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>

#include "faults.hpp"
#include "host_use.hpp"
#include "long_run.hpp"
#include "trace_slices.hpp"
#include "waterfall.hpp"

namespace orrery::report {
namespace {

class TextPage {
 public:
  explicit TextPage(const TextStyle& style) : style_(style), paint_{style.colour} {}
  void line(std::string_view text) { text_ += std::string(text) + "\n"; }
  void lines(const std::vector<std::string>& all) {
    for (const std::string& text : all) line(text);
  }
  // A paragraph whose first word or words are set off, and whose further lines are indented as the first.
  void paragraph(Tone tone, std::string_view lead, std::string_view text) {
    constexpr int kIndent = 2;
    const std::string blank(kIndent, ' ');
    bool first = true;
    for (const std::string& part : wrap(std::string(lead) + std::string(text), style_.width - 2 * kIndent)) {
      const std::size_t set_off = first ? std::min(lead.size(), part.size()) : 0;
      line(blank + (set_off > 0 ? paint_(tone, part.substr(0, set_off)) : "") + part.substr(set_off));
      first = false;
    }
  }
  const Paint& paint() const { return paint_; }
  std::string text() { return std::move(text_); }

 private:
  TextStyle style_;
  Paint paint_;
  std::string text_;
};

void headline(const RunResult& run, const Metrics& m, const TextStyle& style, TextPage& page) {
  const std::pair<const char*, std::string> figures[] = {{"step time", time_text(run.timeline.step_time.value)},
                                                         {"tokens/s", count_text(m.tokens_per_s)},
                                                         {"tokens/s/GPU", count_text(m.tokens_per_s_per_gpu)},
                                                         {"MFU", percent_text(m.mfu)},
                                                         {"HFU", percent_text(m.hfu)}};
  std::string line;
  int used = 0;
  for (const auto& [name, value] : figures) {
    const int wide = columns(name) + 1 + columns(value);
    if (used > 0 && used + 3 + wide > style.width) {
      page.line(line);
      used = 0;
    }
    if (used == 0) line.clear();
    line.append(used == 0 ? "  " : "   ").append(name).append(" ").append(page.paint()(Tone::bold, value));
    used += (used == 0 ? 2 : 3) + wide;
  }
  page.line(line);
}

std::string flops_text(WideFlops flops) {
  if (flops == 0) return "0";
  std::string text = fmt::format("{:.2e}", static_cast<double>(flops));
  text.erase(text.find('+'), 1);
  return text;
}

// Why MFU and HFU differ: both counts side by side, and the one that papers print. Nothing where all agree.
void flops(const RunResult& run, const Metrics& m, TextPage& page) {
  const program::StepFlops& f = run.flops;
  if (f.model.total() == f.executed.total() && f.model.total() == f.korthikanti) return;
  std::string text =
      fmt::format(" {} of the model (attention {}), {} run (attention {}", flops_text(f.model.total()),
                  flops_text(f.model.attention), flops_text(f.executed.total()), flops_text(f.executed.attention));
  if (f.again.total() > 0) text += fmt::format(", recomputation {}", flops_text(f.again.total()));
  text += ")";
  if (f.executed.attention - f.again.attention < f.model.attention)
    text += ": causal kernels skip attention that MFU counts in full";
  page.paragraph(Tone::plain, "FLOPs a step:",
                 text + fmt::format(". HFU by Korthikanti et al. eq. 8: {}.", percent_text(m.hfu_korthikanti)));
}

void memory(const RunResult& run, const Metrics& m, TextPage& page) {
  const auto d = static_cast<std::size_t>(m.worst_device);
  const std::int64_t used = run.reserved[d] + run.context_memory.value;
  const std::string where = fmt::format("{} of {} on the fullest GPU (rank {}), ", bytes_text(used),
                                        bytes_text(run.usable_on(d).value), run.program.devices[d].ranks.front());
  if (m.verdict == Verdict::fits) {
    page.paragraph(Tone::good, "fits:", " " + where + bytes_text(m.headroom) + " free");
  } else if (m.verdict == Verdict::fits_by_releasing) {
    page.paragraph(Tone::bad, "fits by releasing:",
                   " " + where + bytes_text(m.headroom) +
                       " free; the allocator gives cached memory back to the GPU within the step, which is slow and "
                       "not in the step time");
  } else {
    const std::string lacks = m.headroom < 0 ? bytes_text(-m.headroom) + " too much"
                                             : bytes_text(m.headroom) + " free; the memory of the hosts is too small";
    page.paragraph(Tone::bad, "does not fit:", " " + where + lacks);
  }
  std::string held;
  for (std::size_t c = 0; c < program::kMemoryClasses; ++c)
    if (run.memory[d].at_peak[c] != 0)
      held += fmt::format(" {} {},", program::kMemoryClassNames[c], bytes_text(run.memory[d].at_peak[c]));
  const std::int64_t unused = run.reserved[d] - run.memory[d].peak;
  if (unused > 0) held += fmt::format(" allocator slack {},", bytes_text(unused));
  if (run.context_memory.value > 0) held += fmt::format(" CUDA context {},", bytes_text(run.context_memory.value));
  if (!held.empty()) held.back() = ' ';
  page.paragraph(Tone::plain, "at its peak:", held);
  if (run.hosts) page.paragraph(fits(*run.hosts) ? Tone::plain : Tone::bad, "on the hosts:", host_use_text(run));
}

// "  pool hopper: 8 × h100-sxm-80gb, pipeline ranks 0–1 · 83.1 % work, 12.0 % bubble · 20.1 GiB free on its fullest
// GPU"
void pools(const RunResult& run, TextPage& page) {
  for (const PoolResult& pool : run.pools) {
    std::string stages =
        fmt::format("pipeline rank{} {}", pool.stages.size() > 1 ? "s" : "", fmt::join(pool.stages, ", "));
    const std::string memory = pool.headroom >= 0 ? bytes_text(pool.headroom) + " free on its fullest GPU"
                                                  : bytes_text(-pool.headroom) + " too much on its fullest GPU";
    page.paragraph(pool.headroom >= 0 ? Tone::plain : Tone::bad, "pool " + pool.name + ":",
                   fmt::format(" {} × {}, {}; {} work, {} bubble; {}", pool.ranks, pool.gpu, stages,
                               percent_text(pool.work_fraction), percent_text(pool.bubble_fraction), memory));
  }
}

// "46 on 1 replica, 18 on 2"
void batch(const RunResult& run, TextPage& page) {
  if (run.micro_batches.empty()) return;
  std::map<std::int64_t, int, std::greater<>> replicas;
  for (const std::int64_t count : run.micro_batches) ++replicas[count];
  std::string text;
  for (const auto& [count, of] : replicas) {
    const char* what = !text.empty() ? "" : of == 1 ? " replica" : " replicas";
    text += fmt::format("{} {} on {}{}", text.empty() ? "" : ",", integer_text(count), of, what);
  }
  page.paragraph(Tone::plain, "micro-batches:", text);
}

std::string provenance(const RunResult& run, bool verbose) {
  const auto many = [](std::int64_t n, const char* what) {
    return fmt::format("{} {}{}", integer_text(n), what, n == 1 ? "" : "s");
  };
  const std::string steps =
      run.program.steps > 1 ? fmt::format(" of {} steps, of which this is the last", run.program.steps) : "";
  const std::string short_form = fmt::format("{} and {} a step; {}", many(run.sequences, "sequence"),
                                             many(run.tokens, "token"), many(run.gpus, "GPU"));
  if (!verbose) return short_form + fmt::format(", network {}.", run.network_mode);
  return fmt::format("{} as {}, {}{}, network {}, {}.", short_form,
                     many(static_cast<std::int64_t>(run.program.devices.size()), "device"),
                     many(static_cast<std::int64_t>(run.program.tasks()), "task"), steps, run.network_mode,
                     run.timeline.one_pass ? "one pass" : "event by event");
}

// What a placement other than packed does to the groups.
std::string placement_text(const PlacementResult& p) {
  std::string text = " " + p.type + ":";
  std::size_t spread = 0;
  for (const layout::DimensionFacts& d : layout::kDimensionList)
    if (const int domains = p.domains[d.dimension]; domains > 1)
      text += fmt::format("{} {} groups reach over {} domains", spread++ > 0 ? "," : "", d.name, domains);
  if (spread == 0) return text + " each group stays in one domain.";
  return text + (spread == std::size(layout::kDimensionList) ? "." : ", the others stay in one.");
}

std::string transfers_text(const SharedTransfers& s) {
  constexpr std::array<const char*, 6> families{"tensor-parallel", "context-parallel", "expert",
                                                "data-parallel",   "pipeline",         "host-to-GPU"};
  constexpr std::array<const char*, 6> levels{"scale-up links", "NIC links",  "leaf links",
                                              "spine links",    "core links", "PCIe links"};
  const auto family = static_cast<std::size_t>(s.category) - static_cast<std::size_t>(program::Category::tensor_comm);
  std::string text = fmt::format("{} {}{} {} slower: {}", families.at(family), collective_text(s.collective),
                                 s.collective == Collective::send_receive ? "s" : "",
                                 percent_text(s.took_s / s.alone_s - 1), levels[static_cast<std::size_t>(s.level)]);
  if (s.oversubscription > 0)
    text.replace(text.rfind(" links"), 0, s.level == hardware::LinkLevel::leaf ? "-to-spine" : "-to-core");
  text += s.oversubscription > 1.001 ? fmt::format(" oversubscribed {:.3g}:1", s.oversubscription) : " shared";
  return text + (s.link.empty() ? "" : " (" + s.link + " most)");
}

// Of unlike loads and of capacities, against a step in which every expert is given as many and nothing is dropped.
std::string expert_loads_text(const RunResult& run) {
  const ExpertLoads& e = run.experts;
  std::string text = fmt::format(" the fullest rank of an expert group is given {:.2f} times the mean", e.load_factor);
  if (e.dropped > 0) text += fmt::format(", and {} of the copies are dropped", percent_text(e.dropped));
  if (e.balanced.value == 0) return text + ".";
  const auto against = [](std::int64_t more, const std::string& amount, const char* unit) {
    return more == 0 ? fmt::format("no more {}", unit)
                     : fmt::format("{} {} {}", amount, more > 0 ? "more" : "less", unit);
  };
  std::int64_t peak = 0;
  for (const engine::DeviceMemory& m : run.memory) peak = std::max(peak, m.peak);
  const std::int64_t longer = run.timeline.step_time.value - e.balanced.value, held = peak - e.balanced_memory.value;
  const double part = static_cast<double>(longer) / static_cast<double>(e.balanced.value);
  return text + fmt::format(": {}{}, and {} on the fullest GPU, than with balanced loads.",
                            against(longer, time_text(std::abs(longer)), "time"),
                            longer == 0 ? "" : fmt::format(" ({})", percent_text(std::abs(part))),
                            against(held, bytes_text(std::abs(held)), "memory"));
}

// Families that lost half a percent or more; the rest is in the JSON.
std::string shared_text(const std::vector<SharedTransfers>& shared) {
  std::string text;
  for (const SharedTransfers& s : shared)
    if (s.took_s >= 1.005 * s.alone_s) text += (text.empty() ? " " : "; ") + transfers_text(s);
  return text.empty() ? text : text + ".";
}

}  // namespace

std::string_view name_of(hardware::LinkLevel level) {
  constexpr std::array<std::string_view, 6> names{"scale_up", "nic", "leaf", "spine", "core", "other"};
  return names[static_cast<std::size_t>(level)];
}

namespace {

// "109 M parameters and 624 K of its heads, encoder"
std::string parameters_of(const RunResult& run) {
  std::string text = parameters_text(run.parameters) + " parameters";
  if (run.head_parameters > 0) text += fmt::format(" and {} of its heads", parameters_text(run.head_parameters));
  return run.kind_text.empty() ? text : text + ", " + run.kind_text;
}

}  // namespace

std::string to_text(const RunResult& run, const TextStyle& style) {
  const Metrics m = metrics_of(run);
  TextPage page(style);
  for (const std::string& part : wrap(run.title, style.width)) page.line(page.paint()(Tone::bold, part));
  if (!run.setting.empty())
    for (const std::string& part : wrap(parameters_of(run) + " · " + run.setting, style.width)) page.line(part);
  page.line("");
  headline(run, m, style, page);
  flops(run, m, page);
  memory(run, m, page);
  pools(run, page);
  batch(run, page);
  page.line("");
  page.lines(time_bar(m, style));
  page.line("");
  page.paragraph(Tone::bold, "Limit:", " " + what_limits(run, m));
  for (const Fault& fault : run.faults) page.paragraph(Tone::bold, fault_name(fault) + ":", fault_text(run, fault));
  if (const std::string shared = shared_text(run.shared); !shared.empty())
    page.paragraph(Tone::bold, "Shared links:", shared);
  if (run.varied) page.paragraph(Tone::bold, "Unlike steps:", varied_text(run));
  if (run.long_run) page.paragraph(Tone::bold, "Long run:", long_run_text(*run.long_run));
  if (run.experts.there) page.paragraph(Tone::bold, "Expert loads:", expert_loads_text(run));
  if (run.placement.type != "packed") page.paragraph(Tone::bold, "Placement:", placement_text(run.placement));
  page.line("");
  if (style.art) {
    page.lines(timeline_art(run, style));
    page.line("");
    page.lines(memory_art(run, style));
    page.line("");
  }
  page.lines(waterfall_lines(run, style));
  page.line("");
  page.lines(stage_table(run, style));
  page.line("");
  for (const std::string& warning : run.warnings) page.paragraph(Tone::bad, "warning:", " " + warning);
  for (const std::string& wrong : run.books) page.paragraph(Tone::bad, "the books do not balance:", " " + wrong);
  page.paragraph(Tone::plain, "", provenance(run, style.verbose));
  for (std::size_t i = style.verbose ? 0 : run.simulation_notes; i < run.notes.size(); ++i)
    page.paragraph(Tone::plain, "", run.notes[i]);
  return page.text();
}

std::string books_text(const RunResult& run) {
  if (!run.books.empty()) {
    std::string text = fmt::format("The books do not balance ({}):\n", run.books.size());
    for (const std::string& wrong : run.books) text += "  " + wrong + "\n";
    return text;
  }
  return fmt::format(
      "The books balance:\n"
      "  every task starts when its last predecessor ends, no lane does two things at once: {} tasks, {} edges\n"
      "  no task is quicker than its template: critical path <= makespan <= all tasks one after the other\n"
      "  the time of each device sums to the step: {} devices, {} ps each\n"
      "  its work is that of its kernels, category by category, and it waits for no more than there is\n"
      "  the memory of each device ends where it began, class by class\n"
      "  what goes to the hosts and comes back is the state that moves\n"
      "  the FLOPs that the kernels run equal their closed form, and the GPUs can run them\n",
      run.program.tasks(), run.program.predecessors.size(), run.program.devices.size(), run.timeline.step_time.value);
}

}  // namespace orrery::report
