#include "waterfall.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace orrery::report {
namespace {

using program::Category;
using program::KernelLosses;

// ⌊flops · 10¹² / peak⌋ without leaving 128 bits. The peak is whole: GPUs state it in FLOP/s.
Int128 time_at_peak(const RunResult& run, WideFlops flops) {
  const auto peak = static_cast<Int128>(run.peak_flops_per_second);
  if (peak <= 0) return 0;
  return flops / peak * kPicosecondsPerSecond + flops % peak * kPicosecondsPerSecond / peak;
}

constexpr std::array<std::string_view, program::kCategories> kLabels{"",
                                                                     "recomputation",
                                                                     "optimizer",
                                                                     "tensor communication",
                                                                     "context communication",
                                                                     "expert communication",
                                                                     "data communication",
                                                                     "pipeline communication",
                                                                     "copies to and from the hosts",
                                                                     "optimizer on the hosts",
                                                                     "host",
                                                                     "bubble"};

class Losses {
 public:
  explicit Losses(const RunResult& run) : run_(run), metrics_(metrics_of(run)) {}

  // The time of the kernels' compute is that of their FLOPs at the peak and what each mechanism adds:
  //   compute = Σ flops/peak + (format) + (clock) + (main loop) + (shape) + memory-bound + what slows them
  Waterfall result() {
    const KernelLosses &products = run_.kernels.products, &attention = run_.kernels.attention;
    const Int128 run_at_peak = time_at_peak(run_, products.flops) + time_at_peak(run_, attention.flops);
    w_.model = time_at_peak(run_, run_.flops.model.total());
    for (const Int128 part : metrics_.total) w_.whole += part;
    add("clock", "clock under load", products.time - products.at_full_clock + attention.time - attention.at_full_clock);
    add("number_format",
        run_.pools.empty() ? "kernels in a slower number format" : "slower GPUs and number formats, less faster ones",
        products.number_format + attention.number_format);
    add("main_loop", "matrix products: main loop", products.at_full_clock - products.at_full_rate);
    add("shape", "matrix products: tiles, waves", shape(products));
    add("attention", "attention", attention.at_full_clock - attention.at_full_rate + shape(attention));
    add("memory_bound", "memory-bound kernels", run_.kernels.memory_bound);
    const Int128 compute = total(Category::compute);
    add("slowed", "kernels slowed: traffic beside them, slow GPUs",
        compute - products.time - attention.time - run_.kernels.memory_bound);
    for (std::size_t c = 1; c < program::kCategories; ++c)
      add(program::kCategoryNames[c], kLabels[c], metrics_.total[c]);
    add("not_run", "counted, not run (causal attention)", run_at_peak - w_.model);
    return std::move(w_);
  }

 private:
  Int128 total(Category c) const { return metrics_.total[static_cast<std::size_t>(c)]; }
  Int128 shape(const KernelLosses& t) const { return t.at_full_rate - t.number_format - time_at_peak(run_, t.flops); }
  void add(std::string_view key, std::string_view label, Int128 time) {
    w_.losses.push_back({std::string(key), std::string(label), time});
  }

  const RunResult& run_;
  Metrics metrics_;
  Waterfall w_;
};

}  // namespace

Waterfall waterfall_of(const RunResult& run) {
  return Losses(run).result();
}

std::vector<std::int64_t> tenths_of(const Waterfall& w) {
  std::vector<std::int64_t> tenths;
  const auto rounded = [&](Int128 time) { return static_cast<std::int64_t>((2000 * time + w.whole) / (2 * w.whole)); };
  Int128 left = w.whole;
  for (const Loss& loss : w.losses) {
    const std::int64_t before = rounded(left);
    tenths.push_back(before - rounded(left -= loss.time));
  }
  tenths.push_back(rounded(left));
  return tenths;
}

std::vector<std::string> waterfall_lines(const RunResult& run, const TextStyle& style) {
  const Waterfall w = waterfall_of(run);
  const std::vector<std::int64_t> tenths = tenths_of(w);
  const Paint paint{style.colour};
  const int label_width = std::min(48, style.width - 12);
  const int room = style.width - label_width - 14;
  const auto bar = [&](std::int64_t from, std::int64_t to, std::string_view fill) {
    if (room < 20) return std::string();
    const auto at = [&](std::int64_t t) {
      return static_cast<int>(std::clamp<std::int64_t>(t, 0, 1000) * room / 1000);
    };
    std::string text(static_cast<std::size_t>(at(std::min(from, to))), ' ');
    for (int i = at(std::min(from, to)); i < std::max(at(std::max(from, to)), at(std::min(from, to)) + 1); ++i)
      text += fill;
    return "  " + text;
  };
  const auto line = [&](std::string_view label, std::int64_t t, const char* sign, const std::string& drawn) {
    return fmt::format("  {:<{}.{}}{:>8}", label, label_width, label_width,
                       fmt::format("{}{}.{} %", sign, std::abs(t) / 10, std::abs(t) % 10)) +
           drawn;
  };
  std::vector<std::string> lines{paint(Tone::bold, "  From peak to MFU") +
                                 fmt::format(": of {} at {:.4g} TFLOP/s each",
                                             run.gpus == 1 ? "1 GPU" : fmt::format("{} GPUs", integer_text(run.gpus)),
                                             run.peak_flops_per_second / 1e12)};
  std::int64_t left = 1000;
  for (std::size_t i = 0; i < w.losses.size(); ++i) {
    const std::int64_t t = tenths[i];
    if (t == 0) continue;
    lines.push_back(line(w.losses[i].label, t, t > 0 ? "-" : "+", bar(left - t, left, t > 0 ? "▒" : "█")));
    left -= t;
  }
  lines.push_back(line("MFU", left, "", bar(0, left, "█")));
  return lines;
}

}  // namespace orrery::report
