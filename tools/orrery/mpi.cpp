#include "mpi.hpp"

#include <cstdlib>
#ifdef ORRERY_MPI
#include <mpi.h>
#endif

namespace orrery::cli {
namespace {

// As mpirun of Open MPI, and the process managers of MPICH and Slurm, tell those that they start.
bool started_by_mpirun() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"})
    if (const char* size = std::getenv(name); size != nullptr && std::atoi(size) > 1) return true;
  return false;
}

#ifdef ORRERY_MPI
class MpiPeers : public sweep::Peers {
 public:
  explicit MpiPeers(int processes) : processes_(processes) {}
  MpiPeers(const MpiPeers&) = delete;
  MpiPeers& operator=(const MpiPeers&) = delete;
  ~MpiPeers() override { MPI_Finalize(); }
  int count() const override { return processes_ - 1; }
  void send(int to, const std::string& bytes) override {
    check(bytes.size() < (1U << 30), "a message between processes of a sweep is too long");
    MPI_Send(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, to, 0, MPI_COMM_WORLD);
  }
  std::optional<sweep::Message> receive(bool wait) override {
    MPI_Status status;
    int there = 1;
    if (wait)
      MPI_Probe(MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &status);
    else
      MPI_Iprobe(MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &there, &status);
    if (there == 0) return std::nullopt;
    int size = 0;
    MPI_Get_count(&status, MPI_BYTE, &size);
    sweep::Message message{status.MPI_SOURCE, std::string(static_cast<std::size_t>(size), '\0')};
    MPI_Recv(message.bytes.data(), size, MPI_BYTE, status.MPI_SOURCE, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return message;
  }

 private:
  int processes_;
};

MpiRun start() {
  int threads = 0, rank = 0, processes = 1;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &threads);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &processes);
  return {rank, std::make_unique<MpiPeers>(processes)};
}
#endif

}  // namespace

Result<MpiRun> mpi_run() {
  if (!started_by_mpirun()) return MpiRun{};
#ifdef ORRERY_MPI
  return start();
#else
  Diagnostic d;
  d.path = "mpirun";
  d.message = "started several processes, and this orrery was built without MPI: each would play the whole sweep";
  d.help = "install libopenmpi-dev and build again, or give each its part: --shard 2/8 --store part2.sqlite";
  return d;
#endif
}

}  // namespace orrery::cli
