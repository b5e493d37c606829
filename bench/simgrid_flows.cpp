// The flows of flow_bench.cpp in SimGrid, built and run by bench/against_simgrid: a star of hosts with links of 50
// GB/s, random pairs of hosts, 1–100 MB each, all at once; GROUP > 0: pairs within groups of that many hosts. Prints
// CPU seconds and the end of the last flow in seconds.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <simgrid/s4u.hpp>
#include <string>
#include <vector>

namespace sg4 = simgrid::s4u;

int main(int argc, char** argv) {
  sg4::Engine engine(&argc, argv);
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s HOSTS FLOWS GROUP\n", argv[0]);
    return 2;
  }
  // Plain max-min sharing: no TCP window, no slow start factors, no traffic of acknowledgements.
  sg4::Engine::set_config("network/model:CM02");
  sg4::Engine::set_config("network/TCP-gamma:0");
  sg4::Engine::set_config("network/crosstraffic:0");
  const auto hosts = std::strtoull(argv[1], nullptr, 10), flows = std::strtoull(argv[2], nullptr, 10);
  const auto asked = std::strtoull(argv[3], nullptr, 10), group = asked > 0 ? asked : hosts;

  auto* zone = sg4::create_star_zone("star");
  std::vector<sg4::Host*> all;
  for (unsigned long long i = 0; i < hosts; ++i) {
    const std::string name = std::to_string(i);
    auto* host = zone->create_host(name, 1e9)->seal();
    const auto* up = zone->create_link("up" + name, 50e9)->set_latency(0)->seal();
    const auto* down = zone->create_link("down" + name, 50e9)->set_latency(0)->seal();
    zone->add_route(host->get_netpoint(), nullptr, nullptr, nullptr, {sg4::LinkInRoute(up)}, false);
    zone->add_route(nullptr, host->get_netpoint(), nullptr, nullptr, {sg4::LinkInRoute(down)}, false);
    all.push_back(host);
  }
  zone->seal();

  struct Flow {
    sg4::Mailbox* to;
    std::uint64_t bytes;
  };
  std::vector<std::vector<Flow>> sent(hosts);
  std::vector<std::size_t> received(hosts);
  std::mt19937_64 random(42);
  for (unsigned long long i = 0; i < flows; ++i) {
    const auto base = random() % (hosts / group) * group;
    const auto from = random() % group, to = (from + 1 + random() % (group - 1)) % group;
    sent[base + from].push_back({sg4::Mailbox::by_name(std::to_string(base + to)), 1'000'000 + random() % 99'000'001});
    ++received[base + to];
  }
  // One actor a host sends and receives: an actor takes time in proportion to its pending communications for each that
  // ends, and those of Comm::sendto and detached ones all pend on one.
  for (unsigned long long i = 0; i < hosts; ++i) {
    if (sent[i].empty() && received[i] == 0) continue;
    const std::string name = std::to_string(i);
    sg4::Actor::create(name, all[i], [name, &mine = sent[i], count = received[i]] {
      static int message = 0;
      std::vector<sg4::CommPtr> pending;
      for (const Flow& flow : mine) pending.push_back(flow.to->put_async(&message, flow.bytes));
      std::vector<int*> arrived(count);
      for (int*& each : arrived) pending.push_back(sg4::Mailbox::by_name(name)->get_async<int>(&each));
      for (const auto& comm : pending) comm->wait();
    });
  }
  const std::clock_t begin = std::clock();
  engine.run();
  const double cpu = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  std::printf("%.6f %.9f\n", cpu, sg4::Engine::get_clock());
  return 0;
}
