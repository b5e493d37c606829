// Stores on disks that are full or cannot be written: a clear error, and what was there stays whole.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "orrery/sweep/store.hpp"

namespace orrery::sweep::full_disk_test {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path = fs::temp_directory_path() / ("orrery_full_" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() {
    ::chmod(path.c_str(), 0700);
    fs::remove_all(path);
  }
  std::string file(const std::string& name) const { return (path / name).string(); }
};

std::vector<Stored> results(std::int64_t from, std::int64_t to) {
  std::vector<Stored> all;
  for (std::int64_t point = from; point < to; ++point) {
    Stored s;
    s.point = point;
    s.status = Status::ok;
    s.figures.step_time_ps = 1000 + point;
    s.why = std::string(200, 'x');
    all.push_back(s);
  }
  return all;
}

// What the child process says, which lives under the limits that `act` sets; 0 is well.
int in_child(const std::function<int()>& act) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(act());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool names_the_disk(const Diagnostics& errors, const std::string& file) {
  const std::string text = render(errors);
  return text.find(file) != std::string::npos && text.find("cannot be read or written") != std::string::npos &&
         text.find("is the disk full or read-only") != std::string::npos && text.find("--store") != std::string::npos;
}

// A limit on the size of files is what a full disk is to the writer: write() fails.
void fill_disk(rlim_t bytes) {
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, bytes};
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

TEST_CASE("a disk that is full when a store is made is said, and leaves no half of a store") {
  const Folder folder;
  const std::string file = folder.file("new.sqlite");
  CHECK(in_child([&] {
          fill_disk(4096);
          const auto store = Store::open(file, "identity");
          return store.ok() ? 1 : names_the_disk(store.errors(), file) ? 0 : 2;
        }) == 0);
  // With room again it is made.
  const auto store = Store::open(file, "identity");
  REQUIRE_MESSAGE(store.ok(), (store.ok() ? "" : render(store.errors())));
  CHECK(store->size() == 0);
}

TEST_CASE("a disk that fills up loses the wave at hand, and nothing before it") {
  const Folder folder;
  const std::string file = folder.file("a.sqlite");
  {
    auto store = Store::open(file, "identity");
    REQUIRE(store.ok());
    REQUIRE(store->add(results(0, 100)).empty());
  }
  CHECK(in_child([&] {
          fill_disk(64 << 10);
          auto store = Store::open(file, "identity");
          if (!store.ok()) return 1;
          const Diagnostics errors = store->add(results(100, 5000));
          if (errors.empty()) return 2;
          return names_the_disk(errors, file) ? 0 : 3;
        }) == 0);
  auto store = Store::open(file, "identity");
  REQUIRE_MESSAGE(store.ok(), (store.ok() ? "" : render(store.errors())));
  CHECK(store->size() == 100);  // all of a wave or none of it
  CHECK((*store->find(99))->figures.step_time_ps == 1099);
  CHECK(store->find(100)->has_value() == false);
  CHECK(store->add(results(100, 5000)).empty());
  CHECK(store->size() == 5000);
}

// Root writes everywhere: without its rights, as nobody.
void as_nobody() {
  if (::geteuid() == 0 && (::setgid(65'534) != 0 || ::setuid(65'534) != 0)) ::_exit(9);
}

TEST_CASE("a folder that cannot be written takes no store") {
  const Folder folder;
  const std::string file = folder.file("new.sqlite");
  REQUIRE(::chmod(folder.path.c_str(), 0555) == 0);
  CHECK(in_child([&] {
          as_nobody();
          const auto store = Store::open(file, "identity");
          return store.ok() ? 1 : names_the_disk(store.errors(), file) ? 0 : 2;
        }) == 0);
  CHECK_FALSE(fs::exists(file));
}

TEST_CASE("a store that can be read and not written is refused, and left as it was") {
  const Folder folder;
  const std::string file = folder.file("a.sqlite");
  {
    auto store = Store::open(file, "identity");
    REQUIRE(store.ok());
    REQUIRE(store->add(results(0, 10)).empty());
  }
  const auto before = fs::file_size(file);
  REQUIRE(::chmod(file.c_str(), 0444) == 0);
  REQUIRE(::chmod(folder.path.c_str(), 0555) == 0);
  CHECK(in_child([&] {
          as_nobody();
          const auto store = Store::open(file, "identity");
          return store.ok() ? 1 : names_the_disk(store.errors(), file) ? 0 : 2;
        }) == 0);
  CHECK(fs::file_size(file) == before);
  REQUIRE(::chmod(folder.path.c_str(), 0755) == 0);
  REQUIRE(::chmod(file.c_str(), 0644) == 0);
  CHECK(Store::open(file, "identity")->size() == 10);
}

TEST_CASE("parts cannot be merged into what cannot be written") {
  const Folder folder;
  const std::string part = folder.file("part.sqlite");
  {
    auto store = Store::open(part, "identity");
    REQUIRE(store.ok());
    REQUIRE(store->add(results(0, 10)).empty());
  }
  const auto merged = merge_stores({part}, folder.file("no/folder/all.sqlite"));
  REQUIRE_FALSE(merged.ok());
  CHECK(names_the_disk(merged.errors(), "no/folder/all.sqlite"));
  CHECK(merge_stores({folder.file("none.sqlite")}, "").errors().front().message == "there is no such store");
}

}  // namespace
}  // namespace orrery::sweep::full_disk_test
