// A sweep over the processes that mpirun started. What is not built with MPI, or runs alone, is one process.
#pragma once
#include <memory>

#include "orrery/sweep/peers.hpp"

namespace orrery::cli {

struct MpiRun {
  int rank = 0;
  std::unique_ptr<sweep::Peers> peers;  // null where this is the only process
};
// What kind of process this is. An error where there are several and the program was built without MPI.
Result<MpiRun> mpi_run();

}  // namespace orrery::cli
