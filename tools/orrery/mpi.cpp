#include "mpi.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "../mpi/module.hpp"

namespace orrery::cli {
namespace {

// As mpirun of Open MPI, and the process managers of MPICH and Slurm, tell those that they start.
bool started_by_mpirun() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"})
    if (const char* size = std::getenv(name); size != nullptr && std::atoi(size) > 1) return true;
  return false;
}

class MpiPeers : public sweep::Peers {
 public:
  explicit MpiPeers(const OrreryMpi& mpi) : mpi_(mpi) {}
  MpiPeers(const MpiPeers&) = delete;
  MpiPeers& operator=(const MpiPeers&) = delete;
  ~MpiPeers() override { mpi_.finish(); }
  int count() const override { return mpi_.processes - 1; }
  void send(int to, const std::string& bytes) override {
    check(bytes.size() < (1U << 30), "a message between processes of a sweep is too long");
    mpi_.send(bytes.data(), static_cast<int>(bytes.size()), to);
  }
  std::optional<sweep::Message> receive(bool wait) override {
    sweep::Message message{};
    const int size = mpi_.probe(wait, &message.from);
    if (size < 0) return std::nullopt;
    message.bytes.resize(static_cast<std::size_t>(size));
    mpi_.receive(message.bytes.data(), size, message.from);
    return message;
  }

 private:
  OrreryMpi mpi_;
};

Diagnostic refusal(const std::string& why, const char* help) {
  Diagnostic d;
  d.path = "mpirun";
  d.message = "started several processes, and " + why + ": each would play the whole sweep";
  d.help = fmt::format("{}, or give each its part: --shard 2/8 --store part2.sqlite", help);
  return d;
}

#ifdef ORRERY_MPI_MODULE
// Beside the program as it is built, or where it is installed to. It stays loaded.
Result<MpiRun> start() {
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  void* module = nullptr;
  for (const char* place : {"", ORRERY_MPI_MODULE}) {
    const std::filesystem::path file = program / place / "orrery_mpi.so";
    if (std::filesystem::exists(file)) module = ::dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (module != nullptr) break;
  }
  auto* begin =
      module == nullptr ? nullptr : reinterpret_cast<decltype(&orrery_start_mpi)>(::dlsym(module, "orrery_start_mpi"));
  if (begin == nullptr) {
    const char* why = ::dlerror();
    return refusal(fmt::format("orrery_mpi.so cannot be loaded ({})", why == nullptr ? "no such file" : why),
                   "install orrery again");
  }
  const OrreryMpi mpi = begin();
  return MpiRun{mpi.rank, std::make_unique<MpiPeers>(mpi)};
}
#else
Result<MpiRun> start() {
  return refusal("this orrery was built without MPI", "install libopenmpi-dev and build again");
}
#endif

}  // namespace

Result<MpiRun> mpi_run() {
  return started_by_mpirun() ? start() : MpiRun{};
}

}  // namespace orrery::cli
