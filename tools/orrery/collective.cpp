// orrery collective KIND: what a collective takes on a cluster by itself, as a table like that of nccl-tests.
#include "orrery/network/collective.hpp"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cli.hpp"
#include "json_text.hpp"
#include "orrery/core/field_table.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/network/tuning.hpp"
#include "table.hpp"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;

struct CollectiveCommand {
  std::string kind, cluster, sizes = "1MiB..8GiB", algorithm, protocol;
  int gpus = 0;
  bool json = false;
};

constexpr Collective kKinds[] = {Collective::all_reduce, Collective::all_gather, Collective::reduce_scatter,
                                 Collective::all_to_all, Collective::broadcast,  Collective::send_receive};

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const Collective kind : kKinds) names.emplace_back(name_of(kind));
  return names;
}

Collective kind_of(const std::string& name) {
  for (const Collective kind : kKinds)
    if (name == name_of(kind)) return kind;
  internal_error("a kind of collective that is not in the list");
}

// What of the size crosses a link of the slowest rank at least (nccl-tests, doc/PERFORMANCE.md): busbw = algbw ·
// factor.
double bus_factor(Collective kind, int ranks) {
  const double n = ranks;
  if (kind == Collective::all_reduce) return 2 * (n - 1) / n;
  if (kind == Collective::broadcast || kind == Collective::send_receive) return 1;
  return (n - 1) / n;
}

// "1MiB..8GiB" doubles from the first to the last; "64KiB,1MB" names each.
Result<std::vector<std::int64_t>> read_sizes(const std::string& text) {
  std::vector<std::int64_t> sizes;
  const auto wrong = [&](const std::string& part, const std::string& what) {
    Diagnostic d;
    d.path = "--bytes";
    d.message = fmt::format("'{}': {}", part, what);
    d.help = "--bytes 1MiB..8GiB doubles from the one to the other; --bytes 64KiB,1MB takes these";
    return d;
  };
  const auto read = [&](const std::string& part, std::int64_t& value) {
    std::string what = parse_quantity(FieldType::bytes, part, value);
    if (what.empty() && (value < 1 || value > std::int64_t{1} << 50)) what = "expected 1 B to 1 PiB";
    return what;
  };
  if (const auto dots = text.find(".."); dots != std::string::npos) {
    std::int64_t first = 0, last = 0;
    const std::string from = text.substr(0, dots), to = text.substr(dots + 2);
    if (const std::string what = read(from, first); !what.empty()) return wrong(from, what);
    if (const std::string what = read(to, last); !what.empty()) return wrong(to, what);
    if (last < first) return wrong(text, "the second size is smaller than the first");
    for (std::int64_t size = first; size <= last; size *= 2) sizes.push_back(size);
    return sizes;
  }
  std::istringstream parts(text + ",");
  for (std::string part; std::getline(parts, part, ',');) {
    std::int64_t size = 0;
    if (const std::string what = read(part, size); !what.empty()) return wrong(part, what);
    sizes.push_back(size);
  }
  return sizes;
}

class Bench {
 public:
  Bench(const CollectiveCommand& options, const hardware::Topology& topology, const network::Tuning& tuning)
      : options_(options), topology_(topology), tuning_(tuning), kind_(kind_of(options.kind)) {
    group_.resize(static_cast<std::size_t>(options.gpus));
    std::iota(group_.begin(), group_.end(), 0);
    if (kind_ == Collective::send_receive) group_ = {0, options.gpus - 1};
  }
  std::string unsupported() const { return network::unsupported(call(1), topology_, tuning_); }
  void add(std::int64_t bytes);
  Json json = Json::array();
  Table table{{{"size", true},
               {"bytes", true},
               {"time us", true},
               {"algbw GB/s", true},
               {"busbw GB/s", true},
               {"algorithm"},
               {"protocol"}}};

 private:
  network::CollectiveCall call(std::int64_t bytes) const {
    return {kind_, Bytes{bytes}, group_, options_.algorithm, options_.protocol};
  }
  const CollectiveCommand& options_;
  const hardware::Topology& topology_;
  const network::Tuning& tuning_;
  Collective kind_;
  std::vector<hardware::DeviceId> group_;
};

void Bench::add(std::int64_t bytes) {
  const network::CollectivePlan plan = network::plan_collective(call(bytes), topology_, tuning_);
  const Time time = network::unshared_time(plan, topology_.links());
  const double algbw = static_cast<double>(bytes) / seconds(time), busbw = algbw * bus_factor(kind_, options_.gpus);
  table.add({format_quantity(FieldType::bytes, bytes), std::to_string(bytes),
             fmt::format("{:.2f}", seconds(time) * 1e6), fmt::format("{:.2f}", algbw / 1e9),
             fmt::format("{:.2f}", busbw / 1e9), plan.algorithm, plan.protocol});
  json.push_back({{"bytes", bytes},
                  {"time_ps", time.value},
                  {"time_us", seconds(time) * 1e6},
                  {"algbw_gb_per_s", algbw / 1e9},
                  {"busbw_gb_per_s", busbw / 1e9},
                  {"algorithm", plan.algorithm},
                  {"protocol", plan.protocol}});
}

int run(const CollectiveCommand& options, const Console& console) {
  const Result<hardware::ClusterSpec> spec = hardware::load_cluster(options.cluster);
  if (!spec.ok()) return console.refuse(spec.errors());
  const Result<std::vector<std::int64_t>> sizes = read_sizes(options.sizes);
  if (!sizes.ok()) return console.refuse(sizes.errors());
  if (const std::int64_t there = std::int64_t{spec->nodes} * spec->gpus_per_node; options.gpus > there) {
    console.complain(
        fmt::format("orrery collective: --gpus {} is more than the {} GPUs of {}", options.gpus, there, spec->name));
    return kWrong;
  }
  hardware::ClusterSpec job = *spec;
  job.nodes = (options.gpus + spec->gpus_per_node - 1) / spec->gpus_per_node;
  job = hardware::allocated(std::move(job));
  const auto topology = hardware::build_topology(job, job.nodes);
  if (!topology.ok()) return console.refuse(topology.errors());
  const auto tuning = network::tuning_for(*spec);
  if (!tuning.ok()) return console.refuse(tuning.errors());
  Bench bench(options, **topology, *tuning);
  if (const std::string why = bench.unsupported(); !why.empty()) {
    console.complain("orrery collective: " + why);
    return kWrong;
  }
  for (const std::int64_t size : *sizes) bench.add(size);
  const Json json{{"schema", "orrery.collective/1"},
                  {"collective", options.kind},
                  {"cluster", spec->name},
                  {"gpus", options.gpus},
                  {"results", bench.json}};
  console.print(options.json ? json_text(json)
                             : fmt::format("{} on {} GPUs of {}\n{}", options.kind, options.gpus, spec->name,
                                           bench.table.text()));
  return kOk;
}

}  // namespace

Action add_collective(Arguments& app, const Console& console) {
  auto o = std::make_shared<CollectiveCommand>();
  app.add_option("COLLECTIVE", o->kind, "what is run; send_receive: from the first GPU to the last")
      .required()
      .one_of(kind_names());
  app.add_option("--cluster", o->cluster, "cluster (orrery list clusters), or a YAML file").required();
  app.add_option("--gpus", o->gpus, "how many GPUs, the first of the cluster").required().range(2, 1 << 20);
  app.add_option("--bytes", o->sizes, "size as nccl-tests counts it: FROM..TO doubles, A,B,C takes these");
  app.add_option("--algorithm", o->algorithm, "instead of the library's choice").one_of(network::algorithm_names());
  app.add_option("--protocol", o->protocol, "instead of the library's choice").one_of(network::protocol_names());
  app.add_flag("--json", o->json, "one JSON object instead of the table");
  return [o, &console] { return run(*o, console); };
}

}  // namespace orrery::cli
