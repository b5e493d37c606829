// orrery list WHAT: the names a scenario may use, with the figures one chooses by.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "answer.hpp"
#include "cli.hpp"
#include "json_text.hpp"
#include "orrery/cost/stack.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/model/presets.hpp"
#include "orrery/planning/model_kinds.hpp"
#include "orrery/reliability/failures.hpp"
#include "orrery/schedule/schedule.hpp"
#include "questions.hpp"
#include "table.hpp"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;

// One kind of name: its entries as JSON, and the table of them. Files of the user's may be wrong: then errors, too.
struct Listing {
  Json entries;
  Diagnostics errors;
  Table table;
};

// Loads each name; a file that does not read is an error beside the others.
template <class Load, class Add>
void load_each(const std::vector<std::string>& names, Load load, Listing& list, Add add) {
  for (const std::string& name : names) {
    const auto value = load(name, Catalogue::shared());
    if (value.ok())
      add(name, *value);
    else
      list.errors.insert(list.errors.end(), value.errors().begin(), value.errors().end());
  }
}

// Of one kind, or of all.
Listing models(const std::string& kind) {
  Listing list{Json::array(),
               {},
               Table({{"model"},
                      {"parameters", true},
                      {"layers", true},
                      {"hidden", true},
                      {"heads", true},
                      {"kv heads", true},
                      {"ffn", true},
                      {"vocab", true},
                      {"source"}})};
  load_each(model::list_models(), model::load_model, list, [&](const std::string& name, const model::ModelChoice& m) {
    const std::string of = planning::kind_of(m);
    if (!kind.empty() && of != kind) return;
    const std::int64_t count = model::parameter_count(m);
    list.entries.push_back({{"name", name},
                            {"kind", of},
                            {"parameters", count},
                            {"layers", m.layers},
                            {"hidden", m.hidden},
                            {"heads", m.heads},
                            {"kv_heads", m.kv_heads},
                            {"ffn_hidden", m.ffn_hidden},
                            {"vocab", m.vocab},
                            {"source", m.source}});
    list.table.add({name, report::parameters_text(count), std::to_string(m.layers), std::to_string(m.hidden),
                    std::to_string(m.heads), std::to_string(m.kv_heads), std::to_string(m.ffn_hidden),
                    std::to_string(m.vocab), m.source});
  });
  return list;
}

Listing gpus() {
  Listing list{Json::array(),
               {},
               Table({{"GPU"},
                      {"architecture"},
                      {"usable memory", true},
                      {"bandwidth", true},
                      {"fp16 TFLOP/s", true},
                      {"bf16 TFLOP/s", true},
                      {"fp8 TFLOP/s", true}})};
  load_each(hardware::gpu_names(), hardware::load_gpu, list, [&](const std::string& name, const hardware::Gpu& g) {
    Json peaks = Json::object();
    for (const DType type : kDTypes)
      if (const auto peak = g.peak(type).value; peak > 0) peaks[std::string(name_of(type))] = peak;
    list.entries.push_back({{"name", name},
                            {"architecture", g.architecture},
                            {"multiprocessors", g.multiprocessors},
                            {"memory_bytes", g.memory.value},
                            {"usable_memory_bytes", g.usable_memory.value},
                            {"memory_bandwidth_bytes_per_s", g.memory_bandwidth.value},
                            {"dense_peak_flops_per_s", peaks},
                            {"power_watts", g.power_watts},
                            {"price_usd_per_hour", g.price_usd_per_hour},
                            {"price_source", g.price_source},
                            {"sources", g.sources}});
    const auto peak = [&](DType type) {
      return g.peak(type).value == 0 ? std::string("-") : tera_text(static_cast<double>(g.peak(type).value));
    };
    list.table.add({name, g.architecture, report::bytes_text(g.usable_memory.value),
                    bandwidth_text(static_cast<double>(g.memory_bandwidth.value)), peak(DType::fp16), peak(DType::bf16),
                    peak(DType::fp8)});
  });
  return list;
}

const char* name_of(hardware::NetworkKind kind) {
  constexpr const char* names[] = {"infiniband", "roce", "efa", "tcpxo", "omni_path", "slingshot", "ethernet"};
  return names[static_cast<std::size_t>(kind)];
}

Listing clusters() {
  Listing list{Json::array(),
               {},
               Table({{"cluster"},
                      {"GPU"},
                      {"nodes", true},
                      {"GPUs/node", true},
                      {"in the node", true},
                      {"NICs/node", true},
                      {"between nodes", true},
                      {"network"}})};
  load_each(
      hardware::cluster_names(), hardware::load_cluster, list,
      [&](const std::string& name, const hardware::ClusterSpec& c) {
        const bool network = c.scale_out.nics_per_node > 0;
        const char* kind = network ? name_of(c.scale_out.kind) : "none";
        const BytesPerSecond inside =
            c.scale_up.kind == hardware::ScaleUpKind::pcie ? c.pcie_bandwidth : c.scale_up.bandwidth;
        list.entries.push_back({{"name", name},
                                {"gpu", c.gpu},
                                {"nodes", c.nodes},
                                {"gpus_per_node", c.gpus_per_node},
                                {"scale_up_bytes_per_s", inside.value},
                                {"network", kind},
                                {"nics_per_node", c.scale_out.nics_per_node},
                                {"nic_bytes_per_s", c.scale_out.nic_bandwidth.value},
                                {"sources", c.sources}});
        list.table.add(
            {name, c.gpu, std::to_string(c.nodes), std::to_string(c.gpus_per_node),
             bandwidth_text(static_cast<double>(inside.value)), std::to_string(c.scale_out.nics_per_node),
             network ? fmt::format("{:.4g} Gb/s", static_cast<double>(c.scale_out.nic_bandwidth.value) * 8 / 1e9) : "-",
             kind});
      });
  return list;
}

Listing schedules() {
  Listing list{Json::array(), {}, Table({{"schedule"}, {"chunks"}, {"copies", true}, {"backward"}, {"what it is"}})};
  for (const schedule::ScheduleKind& k : schedule::schedule_kinds()) {
    list.entries.push_back({{"name", k.name},
                            {"summary", k.summary},
                            {"chunks", k.chunks},
                            {"copies", k.copies},
                            {"split_backward", k.split_backward}});
    list.table.add({k.name, k.chunks == 0 ? "any" : std::to_string(k.chunks), std::to_string(k.copies),
                    k.split_backward ? "I + W" : "B", k.summary});
  }
  return list;
}

// As much of a text as fits on a line behind a name.
std::string beginning(const std::string& text) {
  constexpr std::size_t kColumns = 92;
  return text.size() <= kColumns ? text : text.substr(0, text.rfind(' ', kColumns)) + " …";
}

Listing stacks() {
  Listing list{Json::array(), {}, Table({{"stack"}, {"what it is"}})};
  load_each(cost::stack_names(), cost::load_stack, list, [&](const std::string& name, const cost::Stack& s) {
    list.entries.push_back({{"name", name}, {"about", s.about}});
    list.table.add({name, beginning(s.about)});
  });
  return list;
}

Listing reliabilities() {
  Listing list{Json::array(), {}, Table({{"reliability"}, {"failures/GPU-year", true}, {"what it is"}})};
  load_each(reliability::reliability_names(), reliability::load_reliability, list,
            [&](const std::string& name, const reliability::Reliability& r) {
              double rate = 0;
              for (const reliability::FailureCause& f : r.failures) rate += f.per_gpu_year;
              list.entries.push_back({{"name", name}, {"failures_per_gpu_year", rate}, {"about", r.about}});
              list.table.add({name, fmt::format("{:.3g}", rate), beginning(r.about)});
            });
  return list;
}

Listing listing_of(const std::string& what) {
  if (what == "gpus") return gpus();
  if (what == "clusters") return clusters();
  if (what == "schedules") return schedules();
  return what == "stacks" ? stacks() : reliabilities();
}

// What the kind is for, how it is trained and what it is named after, then the models of it.
int list_models_of(const std::string& kind, bool json, const Console& console) {
  const auto about = planning::model_kind(kind);
  if (!about.ok()) return console.refuse(about.errors());
  const Listing list = models(kind);
  if (!list.errors.empty()) return console.refuse(list.errors);
  const Json words{{"name", about->name},
                   {"is", about->is},
                   {"trained", about->trained},
                   {"named_after", about->named_after},
                   {"examples", about->examples}};
  if (json) {
    console.print(json_text(Json{{"schema", "orrery.list/1"}, {"kind", words}, {"models", list.entries}}));
    return kOk;
  }
  console.print(fmt::format("{}\n", about->name) + wrapped(about->is, 2) + wrapped("Trained: " + about->trained, 2) +
                wrapped("Named after: " + about->named_after, 2) + wrapped("Such as " + about->examples + ".", 2) +
                "\n" +
                (list.entries.empty() ? "No model of this kind can be simulated: there is no preset of it.\n"
                                      : list.table.text()));
  return kOk;
}

}  // namespace

Action add_list(Arguments& app, const Console& console) {
  struct ListCommand {
    std::string what, kind;
    bool json = false;
  };
  auto o = std::make_shared<ListCommand>();
  app.add_option("WHAT", o->what, "what to list")
      .one_of({"models", "gpus", "clusters", "schedules", "stacks", "reliability"});
  app.add_option("--kind", o->kind, "models of one kind, and what it is: decoder, encoder or encoder_decoder");
  app.add_flag("--json", o->json, "one JSON object, with sources");
  return [o, app, &console] {
    const bool of_kind = was_said(app, "--kind");
    if (o->what.empty() && !of_kind) {
      console.print("models, gpus, clusters, schedules, stacks or reliability: `orrery list models`\n");
      return kOk;
    }
    if (of_kind && o->what != "models") {
      console.complain("orrery list: --kind is of models", "orrery list models --kind decoder");
      return kWrong;
    }
    if (of_kind) return list_models_of(o->kind, o->json, console);
    const Listing list = o->what == "models" ? models({}) : listing_of(o->what);
    if (!list.errors.empty()) return console.refuse(list.errors);
    console.print(o->json ? json_text(Json{{"schema", "orrery.list/1"}, {o->what, list.entries}}) : list.table.text());
    return kOk;
  };
}

}  // namespace orrery::cli
