// orrery sweep over the processes of mpirun: the table of one process, also where one of them was lost. Where
// mpirun starts nothing, nothing is tested; where orrery was built without MPI it refuses.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "program.hpp"

namespace orrery::testing::mpi_test {

namespace {

// mpirun itself may wait for ever for a process that was killed while it began; it asks for ssh even where it starts
// nothing elsewhere; and what Open MPI leaves behind is not for our sanitizer to tell.
const std::string kMpiEnvironment =
    "env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_plm_rsh_agent=sh "
    "ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 timeout -k 5 ";
const std::string kMpirun = kMpiEnvironment + "60 mpirun --oversubscribe --bind-to none ";
// Of a run that is lost all there is to see are its first seconds.
const std::string kLostMpirun = kMpiEnvironment + "10 mpirun --oversubscribe --bind-to none ";
const std::string kTeamSweep =
    "sweep scenarios/quickstart-8gpu.yaml --set network=ideal --no-sensitivity "
    "--space 'tensor=1,2,4; pipeline=1,2,4; micro_batch=1,2,4; recompute=none,full; zero=none,optimizer' ";

// ORRERY_NO_MPI: not asked for, as where sanitizers make each of many short processes a long one.
bool has_mpirun() {
  return std::getenv("ORRERY_NO_MPI") == nullptr && run_shell(kMpirun + "-n 1 true").code == 0;
}
bool built_with_mpi() {
  return run_shell("PMI_SIZE=2 " + kOrrery + "sweep 2>&1").text.find("built without MPI") == std::string::npos;
}

struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("orrery_mpi_" + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file(const char* name) const { return (path / name).string(); }
};

}  // namespace

TEST_CASE("two processes print the table of one, once") {
  if (!has_mpirun() || !built_with_mpi()) return;
  const Outcome one = run_orrery(kTeamSweep + "--csv - 2>/dev/null");
  const Outcome two = run_shell(kMpirun + "-n 2 " + kOrrery + kTeamSweep + "--csv - 2>/dev/null");
  CHECK(one.code == 0);
  CHECK(two.code == 0);
  CHECK(one.text.size() > 1000);
  CHECK(two.text == one.text);
}

TEST_CASE("a lost process ends the run, and the same command goes on with the store") {
  if (!has_mpirun() || !built_with_mpi()) return;
  const Folder folder;
  const std::string store = "--store " + folder.file("a.sqlite") + " ";
  // The second of two is killed before it can have said much.
  for (const char* moment : {"0.05", "0.2", "0.4"}) {
    const std::string each = kOrrery + kTeamSweep + store + "--csv " + folder.file("out.csv") + " --force ";
    run_shell(kLostMpirun + "-n 1 " + each + ": -n 1 timeout -s KILL " + moment + " " + each + ">/dev/null 2>&1");
  }
  const Outcome whole = run_orrery(kTeamSweep + "--csv - 2>/dev/null");
  const Outcome resumed = run_shell(kMpirun + "-n 2 " + kOrrery + kTeamSweep + store + "--csv - 2>/dev/null");
  CHECK(resumed.code == 0);
  CHECK(resumed.text == whole.text);
}

TEST_CASE("mistakes are said once, by the first process, and all end") {
  if (!has_mpirun() || !built_with_mpi()) return;
  const auto refused = [](const std::string& options, const std::string& what) {
    const Outcome outcome = run_shell(kMpirun + "-n 3 " + kOrrery + "sweep " + options + " 2>&1");
    CAPTURE(outcome.text);
    CHECK(outcome.code == 2);
    const std::size_t at = outcome.text.find(what);
    CHECK(at != std::string::npos);
    CHECK(outcome.text.find(what, at + 1) == std::string::npos);
  };
  refused("scenarios/quickstart-8gpu.yaml --space 'tensr=1'", "did you mean 'tensor'?");
  refused("scenarios/quickstart-8gpu.yaml --space 'tensor=1' --store /", "is no file");
  refused("- </dev/null", "standard input goes to one process of several");
  refused("scenarios/no_such.yaml", "no_such.yaml");
}

TEST_CASE("without MPI several processes are refused, not each left to play it all") {
  if (built_with_mpi()) return;
  const Outcome outcome = run_shell("PMI_SIZE=2 " + kOrrery + kTeamSweep + "2>&1");
  CHECK(outcome.code == 2);
  CHECK(outcome.text.find("--shard 2/8") != std::string::npos);
}

TEST_CASE("a program without its MPI module refuses, and says what is missing") {
  if (!built_with_mpi()) return;
  const Folder folder;
  std::filesystem::copy_file(kBuild + "/orrery", folder.path / "orrery");
  const Outcome outcome = run_shell("PMI_SIZE=2 " + (folder.path / "orrery ").string() + kTeamSweep + "2>&1");
  CHECK(outcome.code == 2);
  CHECK(outcome.text ==
        "mpirun: started several processes, and orrery_mpi.so cannot be loaded (no such file): each would play "
        "the whole sweep\n  help: install orrery again, or give each its part: --shard 2/8 --store part2.sqlite\n");
}

}  // namespace orrery::testing::mpi_test
