// Several processes that play one sweep: the first goes over the space, hands the layouts of each wave to whoever is
// free, ranks what comes back, writes the store and the tables; the others play. How messages travel is not said here:
// by MPI (tools/mpi), between threads in tests.
#pragma once
#include <optional>
#include <string>

#include "orrery/sweep/sweep.hpp"

namespace orrery::sweep {

struct Message {
  int from = 0;
  std::string bytes;
};

// The others, seen from one of them. Process 0 is the first, 1 to count() are those that play for it. Messages between
// two processes arrive in the order they were sent in.
class Peers {
 public:
  virtual ~Peers() = default;
  virtual int count() const = 0;
  virtual void send(int to, const std::string& bytes) = 0;
  // The next one from anybody; without waiting, nothing where there is none.
  virtual std::optional<Message> receive(bool wait) = 0;
};

// What processes 1 to count() do: play what the first sends, until it says that all is done. `options` as the first has
// them, but for its store and conditions.
Diagnostics serve(const YamlTree& scenario, const Space& space, Catalogue& catalogue, const Options& options,
                  Peers& peers);
// Instead of that, where a process cannot read what the first can: the first refuses with these errors.
void cannot_serve(const Diagnostics& errors, Peers& peers);
// Instead of a sweep: the first sends the others home.
void dismiss(Peers& peers);

}  // namespace orrery::sweep
