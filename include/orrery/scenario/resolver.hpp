// The door for whoever tries many scenarios: what they have in common (network, graph of the model, schedule) is made
// once. Not for two threads at once.
#pragma once
#include <memory>

#include "orrery/scenario/run.hpp"

namespace orrery::scenario {

class Resolver {
 public:
  explicit Resolver(Catalogue& catalogue, ResolveOptions options = {});
  ~Resolver();
  Resolver(Resolver&&) noexcept;
  Resolver& operator=(Resolver&&) noexcept;

  // As scenario::resolve() says it.
  Result<Run> resolve(const Scenario& scenario);
  struct Parts;

 private:
  std::unique_ptr<Parts> parts_;
};

}  // namespace orrery::scenario
