#include "compare_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "json_text.hpp"
#include "orrery/report/chart.hpp"
#include "table.hpp"

namespace orrery::cli {

const char* name_of(layout::Recompute recompute) {
  return recompute == layout::Recompute::none        ? "none"
         : recompute == layout::Recompute::selective ? "selective"
                                                     : "full";
}

std::string parameters_of(const Variant& v) {
  std::string text = fmt::format("micro_batch {}, recompute {}", v.micro_batch, name_of(v.recompute));
  if (v.chunks > 1) text += fmt::format(", virtual {}", v.chunks);
  if (v.memory_cap > 0) text += fmt::format(", memory_cap {}", v.memory_cap);
  return v.asynchronous ? text + ", messages asynchronous" : text;
}

namespace {

using Json = nlohmann::ordered_json;

bool releases(const Best& best) {
  return best.metrics.verdict == report::Verdict::fits_by_releasing;
}

// Schedules that wait less than the best and are slower: what else takes longer. All run the same tokens.
std::vector<std::string> slower_with_less_bubble(const Compared& all) {
  std::vector<std::string> sentences;
  constexpr auto kBubble = static_cast<std::size_t>(program::Category::bubble);
  for (const Outcome& o : all.ranked) {
    const report::Metrics &m = o.best->metrics, &best = all.ranked.front().best->metrics;
    if (m.mean_s[kBubble] >= best.mean_s[kBubble]) continue;
    std::vector<std::size_t> order;
    for (std::size_t c = 0; c < kBubble; ++c)
      if (m.mean_s[c] > best.mean_s[c]) order.push_back(c);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return m.mean_s[a] - best.mean_s[a] > m.mean_s[b] - best.mean_s[b];
    });
    std::string more;
    for (std::size_t i = 0; i < std::min<std::size_t>(order.size(), 2); ++i)
      more += fmt::format("{}{} takes {:.3g} s more", i == 0 ? "" : " and ", program::kCategoryNames[order[i]],
                          m.mean_s[order[i]] - best.mean_s[order[i]]);
    if (!more.empty())
      sentences.push_back(fmt::format("{} has {:.3g} s less bubble than {} and is slower: {}", o.schedule,
                                      best.mean_s[kBubble] - m.mean_s[kBubble], all.ranked.front().schedule, more));
  }
  return sentences;
}

}  // namespace

std::string compare_text(const Compared& all) {
  const scenario::Scenario& s = all.scenario;
  const std::vector<Outcome>&ranked = all.ranked, &refused = all.refused;
  std::string text = fmt::format("{} on {} × {}: {} pipeline ranks, batch {} × {} tokens, at most {} a GPU\n\n",
                                 s.model.name, s.layout.ranks(), s.gpu.name, s.layout.pipeline, s.training.global_batch,
                                 scenario::lengths_text(s), report::bytes_text(all.limit));
  Table table({{"#", true},
               {"schedule"},
               {"tokens/s", true},
               {"step", true},
               {"to the best", true},
               {"MFU", true},
               {"bubble", true},
               {"memory", true},
               {"with"}});
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    const Best& r = *ranked[i].best;
    table.add({std::to_string(i + 1), ranked[i].schedule, fmt::format("{:.0f}", r.metrics.tokens_per_s),
               report::seconds_text(r.metrics.step_time_s),
               fmt::format("{:.1f} %", 100 * (r.metrics.tokens_per_s / ranked[0].best->metrics.tokens_per_s - 1)),
               fmt::format("{:.1f} %", 100 * r.metrics.mfu), fmt::format("{:.1f} %", 100 * r.metrics.bubble_fraction),
               report::bytes_text(r.memory) + (releases(r) ? " by releasing" : ""), parameters_of(r.variant)});
  }
  if (!ranked.empty()) text += table.text();
  const auto other_messages = [](const Outcome& o) { return o.best->variant.asynchronous; };
  if (std::any_of(ranked.begin(), ranked.end(), other_messages))
    text += fmt::format(
        "\nmessages asynchronous: those of {} block; only 1f1b, interleaved_1f1b and gpipe are run so\n", s.stack.type);
  if (std::any_of(ranked.begin(), ranked.end(), [](const Outcome& o) { return releases(*o.best); }))
    text += "\nby releasing: cached memory is given back to the GPU, which is slow and not in the step time\n";
  for (const std::string& why : slower_with_less_bubble(all)) text += "\n" + why + "\n";
  if (!refused.empty()) text += "\nnot possible:\n";
  for (const Outcome& o : refused) text += fmt::format("  {}: {}\n", o.schedule, o.why);
  return text;
}

std::string compare_json(const Compared& all, const std::string& path) {
  Json json{{"schema", "orrery.compare/1"},
            {"scenario", path},
            {"memory_limit_bytes", all.limit},
            {"results", Json::array()},
            {"refused", Json::array()}};
  for (const Outcome& o : all.ranked) {
    const Best& r = *o.best;
    Json entry{{"schedule", o.schedule},
               {"tokens_per_s", r.metrics.tokens_per_s},
               {"step_time_s", r.metrics.step_time_s},
               {"mfu", r.metrics.mfu},
               {"bubble_fraction", r.metrics.bubble_fraction},
               {"memory_bytes", r.memory},
               {"verdict", report::name_of(r.metrics.verdict)},
               {"micro_batch", r.variant.micro_batch},
               {"recompute", name_of(r.variant.recompute)},
               {"virtual", r.variant.chunks},
               {"simulated", o.simulated}};
    if (r.variant.memory_cap > 0) entry["memory_cap"] = r.variant.memory_cap;
    if (r.variant.asynchronous) entry["messages"] = "asynchronous";
    json["results"].push_back(entry);
  }
  for (const Outcome& o : all.refused) json["refused"].push_back({{"schedule", o.schedule}, {"why", o.why}});
  return json_text(json);
}

report::Page compare_page(const Compared& all) {
  const scenario::Scenario& s = all.scenario;
  report::Page page{fmt::format("Schedules of {} on {} × {}", s.model.name, s.layout.ranks(), s.gpu.name),
                    fmt::format("each at its best within {} a GPU", report::bytes_text(all.limit))};
  report::Panel panel{"Step time against memory", "GiB of the fullest GPU", "step time, s"};
  std::vector<std::vector<std::string>> rows;
  for (const Outcome& o : all.ranked) {
    const Best& r = *o.best;
    const double gib = static_cast<double>(r.memory) / (1 << 30);
    panel.dots.push_back({gib, r.metrics.step_time_s,
                          fmt::format("{}: {}, {}", o.schedule, report::seconds_text(r.metrics.step_time_s),
                                      report::bytes_text(r.memory)),
                          0});
    panel.marks.push_back({gib, r.metrics.step_time_s, o.schedule});
    rows.push_back({o.schedule, report::seconds_text(r.metrics.step_time_s), report::count_text(r.metrics.tokens_per_s),
                    fmt::format("{:.1f} %", 100 * r.metrics.mfu),
                    fmt::format("{:.1f} %", 100 * r.metrics.bubble_fraction), report::bytes_text(r.memory),
                    parameters_of(r.variant)});
  }
  panel.x_log = false;
  if (!rows.empty()) {
    page.sections.push_back(
        {"By rank",
         report::table_html(
             {{"schedule", false}, {"step"}, {"tokens/s"}, {"MFU"}, {"bubble"}, {"memory"}, {"with", false}}, rows)});
    page.sections.push_back({"Step time and memory", report::svg_of(std::vector<report::Panel>{panel})});
  }
  std::string why;
  for (const std::string& sentence : slower_with_less_bubble(all)) why += report::paragraph_html(sentence + ".");
  if (!why.empty()) page.sections.push_back({"Less bubble, and slower", why});
  std::vector<std::vector<std::string>> refused;
  for (const Outcome& o : all.refused) refused.push_back({o.schedule, o.why});
  if (!refused.empty())
    page.sections.push_back({"Not possible", report::table_html({{"schedule", false}, {"why", false}}, refused)});
  return page;
}

}  // namespace orrery::cli
