// A network in which something is slow or down, laid over the one that was built.
#include <fmt/format.h>

#include <algorithm>

#include "graph.hpp"
#include "orrery/hardware/routing.hpp"

namespace orrery::hardware {
namespace {

constexpr std::uint32_t kChoices = 256;  // equal routes that are tried before the graph is searched

// The network that was built, with links of other speed.
class Relinked : public Topology {
 public:
  Relinked(std::shared_ptr<const Topology> base, std::vector<Link> links)
      : base_(std::move(base)), links_(std::move(links)) {}

  int devices() const override { return base_->devices(); }
  int devices_per_node() const override { return base_->devices_per_node(); }
  const std::vector<Link>& links() const override { return links_; }
  bool same_domain(DeviceId a, DeviceId b) const override { return base_->same_domain(a, b); }
  std::string link_name(LinkId link) const override { return base_->link_name(link); }
  int vertices() const override { return base_->vertices(); }
  std::string vertex_name(VertexId v) const override { return base_->vertex_name(v); }

 protected:
  const Topology& base() const { return *base_; }

 private:
  std::shared_ptr<const Topology> base_;
  std::vector<Link> links_;
};

// On routes of its own where links are down.
class PerturbedTopology final : public Relinked {
 public:
  PerturbedTopology(std::unique_ptr<Topology> base, std::vector<Link> links, std::vector<char> usable)
      : Relinked(std::move(base), std::move(links)),
        usable_(std::move(usable)),
        any_down_(std::find(usable_.begin(), usable_.end(), 0) != usable_.end()),
        graph_(make_graph(any_down_ ? this->links() : std::vector<Link>(), vertices(), usable_)) {}

  void route(DeviceId from, DeviceId to, std::vector<LinkId>& out) const override {
    alternative_route(from, to, 0, out);
  }
  void alternative_route(DeviceId from, DeviceId to, std::uint32_t choice, std::vector<LinkId>& out) const override {
    check(whole_route(from, to, choice, out), "a route was asked for between devices that nothing joins");
  }
  bool connected(DeviceId from, DeviceId to) const override {
    std::vector<LinkId> route;
    return whole_route(from, to, 0, route);
  }
  void host_route(DeviceId device, bool to_host, std::vector<LinkId>& out) const override {
    const std::size_t start = out.size();
    base().host_route(device, to_host, out);
    const bool whole = std::all_of(out.begin() + static_cast<std::ptrdiff_t>(start), out.end(),
                                   [&](LinkId l) { return usable_[static_cast<std::size_t>(l)] != 0; });
    if (!whole) out.resize(start);
  }

 private:
  bool whole_route(DeviceId from, DeviceId to, std::uint32_t choice, std::vector<LinkId>& out) const {
    const std::size_t start = out.size();
    const auto whole = [&] {
      return std::all_of(out.begin() + static_cast<std::ptrdiff_t>(start), out.end(),
                         [&](LinkId l) { return usable_[static_cast<std::size_t>(l)] != 0; });
    };
    const std::uint32_t tries = any_down_ ? kChoices : 1;
    for (std::uint32_t i = 0; i < tries; ++i) {
      base().alternative_route(from, to, choice + i, out);
      if (whole()) return true;
      out.resize(start);
    }
    return shortest_path(graph_, from, to, out);
  }

  std::vector<char> usable_;
  bool any_down_;
  Graph graph_;
};

// The network of a part of the step: on the same routes.
class PassingTopology final : public Relinked {
 public:
  using Relinked::Relinked;

  void route(DeviceId from, DeviceId to, std::vector<LinkId>& out) const override { base().route(from, to, out); }
  void alternative_route(DeviceId from, DeviceId to, std::uint32_t choice, std::vector<LinkId>& out) const override {
    base().alternative_route(from, to, choice, out);
  }
  bool connected(DeviceId from, DeviceId to) const override { return base().connected(from, to); }
  void host_route(DeviceId device, bool to_host, std::vector<LinkId>& out) const override {
    base().host_route(device, to_host, out);
  }
};

class Perturber {
 public:
  explicit Perturber(const Topology& t) : topology_(t), links_(t.links()), usable_(links_.size(), 1) {}

  // What is wrong is said of all; those that pass change nothing unless `passing` are asked for.
  void apply(const Perturbation& p, std::size_t number, bool passing = false) {
    const std::string path = fmt::format("perturb[{}]", number);
    const int named = (p.link.empty() ? 0 : 1) + (p.device >= 0 ? 1 : 0) + (p.node >= 0 ? 1 : 0);
    if (named != 1) return fail(path, "exactly one of link, device and node must be named");
    if (p.until && *p.until <= p.from) return fail(path + ".until", "must be later than from");
    if (!(p.bandwidth_factor > 0 && p.bandwidth_factor <= 1000))
      return fail(path + ".bandwidth_factor", "must be more than 0 and at most 1000", "down: true takes it out");
    if (!(p.compute_factor > 0 && p.compute_factor <= 1000))
      return fail(path + ".compute_factor", "must be more than 0 and at most 1000", "down: true takes it out");
    passing_ = passing;
    if (!p.link.empty()) return by_link(p, path);
    const int size = topology_.devices_per_node();
    const DeviceId first = p.device >= 0 ? p.device : p.node * size;
    const DeviceId last = p.device >= 0 ? p.device : first + size - 1;
    if (last >= topology_.devices())
      return fail(path + (p.device >= 0 ? ".device" : ".node"),
                  fmt::format("there are only {} GPUs in {} nodes", topology_.devices(), topology_.devices() / size));
    for (std::size_t i = 0; i < links_.size(); ++i)
      if ((links_[i].from >= first && links_[i].from <= last) || (links_[i].to >= first && links_[i].to <= last))
        change(i, p);
  }

  Diagnostics errors;
  std::vector<Link> take_links() { return std::move(links_); }
  std::vector<char> take_usable() { return std::move(usable_); }

 private:
  void fail(std::string path, std::string message, std::string help = {}) {
    Diagnostic error;
    error.path = std::move(path);
    error.message = std::move(message);
    error.help = std::move(help);
    errors.push_back(std::move(error));
  }
  void change(std::size_t link, const Perturbation& p) {
    if (p.passes() != passing_) return;
    if (p.down && passing_) links_[link].stands = true;
    if (p.down && !passing_) usable_[link] = 0;
    const double scaled = static_cast<double>(links_[link].bandwidth.value) * p.bandwidth_factor;
    links_[link].bandwidth.value = std::max<std::int64_t>(1, static_cast<std::int64_t>(scaled));
  }
  void by_link(const Perturbation& p, const std::string& path) {
    const std::size_t dashes = p.link.find("--");
    const bool both = dashes != std::string::npos;
    const std::string name = both ? p.link.substr(0, dashes) + "->" + p.link.substr(dashes + 2) : p.link;
    for (std::size_t i = 0; i < links_.size(); ++i) {
      if (topology_.link_name(static_cast<LinkId>(i)) != name) continue;
      change(i, p);
      if (both) change(i ^ 1U, p);
      return;
    }
    fail(path + ".link", fmt::format("no link is called '{}'", name),
         "links are named as in node0.gpu0->node0.nvswitch");
  }

  const Topology& topology_;
  std::vector<Link> links_;
  std::vector<char> usable_;
  bool passing_ = false;
};

}  // namespace

std::shared_ptr<const Topology> while_perturbed(std::shared_ptr<const Topology> topology,
                                                const std::vector<Perturbation>& changes) {
  Perturber perturber(*topology);
  for (std::size_t i = 0; i < changes.size(); ++i) perturber.apply(changes[i], i, true);
  check(perturber.errors.empty(), "what passes was found to be right with the rest");
  std::vector<Link> links = perturber.take_links();
  return std::make_shared<PassingTopology>(std::move(topology), std::move(links));
}

Result<std::unique_ptr<Topology>> perturbed(std::unique_ptr<Topology> topology,
                                            const std::vector<Perturbation>& changes) {
  if (changes.empty()) return topology;
  Perturber perturber(*topology);
  for (std::size_t i = 0; i < changes.size(); ++i) perturber.apply(changes[i], i);
  if (!perturber.errors.empty()) return perturber.errors;
  return std::unique_ptr<Topology>(
      std::make_unique<PerturbedTopology>(std::move(topology), perturber.take_links(), perturber.take_usable()));
}

std::vector<double> compute_factors(const ClusterSpec& spec) {
  std::vector<double> factors(static_cast<std::size_t>(spec.nodes) * static_cast<std::size_t>(spec.gpus_per_node), 1.0);
  for (const Perturbation& p : spec.perturb) {
    if (p.passes()) continue;
    const int first = p.device >= 0 ? p.device : p.node * spec.gpus_per_node;
    const int count = p.device >= 0 ? 1 : spec.gpus_per_node;
    for (int d = first; first >= 0 && d < first + count; ++d)
      factors.at(static_cast<std::size_t>(d)) *= p.compute_factor;
  }
  return factors;
}

Result<std::vector<LinkId>> find_route(const Topology& topology, DeviceId from, DeviceId to) {
  if (!topology.connected(from, to)) {
    Diagnostic error;
    error.message = fmt::format("no route from {} (device {}) to {} (device {}): what joins them is down",
                                topology.vertex_name(from), from, topology.vertex_name(to), to);
    return error;
  }
  std::vector<LinkId> links;
  topology.route(from, to, links);
  return links;
}

Diagnostics check_connected(const Topology& topology, std::span<const DeviceId> group) {
  Diagnostics errors;
  for (std::size_t i = 1; i < group.size(); ++i)
    for (const auto& [from, to] : {std::pair{group[0], group[i]}, std::pair{group[i], group[0]}})
      if (const auto route = find_route(topology, from, to); !route) {
        errors.push_back(route.errors().front());
        break;
      }
  return errors;
}

}  // namespace orrery::hardware
