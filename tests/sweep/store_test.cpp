// A sweep that is interrupted, resumed, or played in parts gives what one in a piece gives; no other file is touched.
#include "orrery/sweep/store.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "orrery/core/random.hpp"
#include "orrery/sweep/sweep.hpp"

namespace orrery::store_test {

namespace fs = std::filesystem;

namespace {

YamlTree tree() {
  return *read_yaml_text(
      "model: {type: gpt2, layers: 4}\n"
      "cluster: {type: selene, nodes: 1}\n"
      "training: {sequence_length: 1024, global_batch: 8, precision: bf16}\n"
      "network: ideal\n"
      "stack: megatron-2024\n",
      "test.yaml");
}

sweep::Space space_of(const std::string& words) {
  const auto space = sweep::read_space(words, tree(), Catalogue::shared());
  REQUIRE(space.ok());
  return *space;
}
const std::string kWords = "tensor=1,2,4; pipeline=1,2,4; micro_batch=1,2; recompute=none,full; zero=none,optimizer";

std::string identity_of(const std::string& words) {
  return sweep::Store::identity(tree(), space_of(words), Catalogue::shared(), false);
}

struct Folder {
  fs::path path = fs::temp_directory_path() / ("orrery_store_" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string file(const std::string& name) const { return (path / name).string(); }
};

// Every row as text.
std::string swept(sweep::Options options, const std::string& store = {}) {
  std::string text;
  options.prune = false;
  options.wave = 3;
  options.row = [&](const sweep::Row& r) {
    text += std::to_string(r.point) + " " + std::string(sweep::name_of(r.status)) + " " +
            std::to_string(r.figures.step_time_ps) + " " + std::to_string(r.figures.memory_bytes) + " " +
            std::to_string(r.figures.mfu) + " " + std::to_string(r.figures.mean_s[0]) + " " + r.why + "\n";
  };
  std::optional<sweep::Store> opened;
  if (!store.empty()) {
    auto result = sweep::Store::open(store, identity_of(kWords));
    REQUIRE_MESSAGE(result.ok(), (result.ok() ? "" : render(result.errors())));
    opened.emplace(std::move(result).value());
    options.store = &*opened;
  }
  REQUIRE(sweep::sweep(tree(), space_of(kWords), Catalogue::shared(), options).ok());
  return text;
}

std::string bytes_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void run_sql(const std::string& file, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

void check_refused(const std::string& file, const std::string& what) {
  const std::string before = bytes_of(file);
  const auto store = sweep::Store::open(file, identity_of(kWords));
  REQUIRE(!store.ok());
  const std::string text = render(store.errors());
  CAPTURE(text);
  CHECK(text.find(what) != std::string::npos);
  CHECK(text.find("help: ") != std::string::npos);
  CHECK(bytes_of(file) == before);
}

}  // namespace

TEST_CASE("a sweep killed at twenty moments and resumed gives the table of one in a piece") {
  const Folder folder;
  const std::string store = folder.file("a.sqlite"), whole = swept({});
  Random random(11);
  for (int i = 0; i < 20; ++i) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      swept({}, store);
      ::_exit(0);
    }
    ::usleep(static_cast<useconds_t>(random.between(0, 30'000)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  CHECK(swept({}, store) == whole);
  const auto opened = sweep::Store::open(store);
  REQUIRE(opened.ok());
  const std::int64_t layouts = opened->size();
  CHECK(swept({}, store) == whole);
  CHECK(opened->size() == layouts);
}

TEST_CASE("what a store holds is not played again") {
  const Folder folder;
  const std::string store = folder.file("a.sqlite"), whole = swept({}, store);
  run_sql(store, "UPDATE layouts SET step_time_ps = 77 WHERE status = 'ok'");
  const std::string again = swept({}, store);
  CHECK(again != whole);
  CHECK(again.find(" ok 77 ") != std::string::npos);
}

TEST_CASE("shards of a sweep are parts of it, and their stores merge to the whole") {
  const Folder folder;
  std::vector<std::string> stores;
  std::int64_t lines = 0;
  for (int i = 1; i <= 3; ++i) {
    sweep::Options part;
    part.shard = i;
    part.shards = 3;
    stores.push_back(folder.file(std::to_string(i) + ".sqlite"));
    const std::string text = swept(part, stores.back());
    lines += std::count(text.begin(), text.end(), '\n');
  }
  CHECK(lines == static_cast<std::int64_t>(space_of(kWords).points()));
  const std::string all = folder.file("all.sqlite"), whole = folder.file("whole.sqlite");
  const auto merged = sweep::merge_stores(stores, all);
  REQUIRE_MESSAGE(merged.ok(), (merged.ok() ? "" : render(merged.errors())));
  const std::string table = swept({}, whole);
  CHECK(*merged == sweep::Store::open(whole)->size());
  CHECK(swept({}, all) == table);
  CHECK(sweep::Store::open(all)->size() == *merged);  // nothing was left to play
  const auto other = sweep::Store::open(folder.file("other.sqlite"), identity_of("tensor=1,2"));
  REQUIRE(other.ok());
  const auto wrong = sweep::merge_stores({all, folder.file("other.sqlite")}, "");
  REQUIRE(!wrong.ok());
  CHECK(render(wrong.errors()).find("another sweep") != std::string::npos);
}

TEST_CASE("a file that is no store, damaged, or of another sweep or version is refused and left as it is") {
  const Folder folder;
  const std::string good = folder.file("good.sqlite");
  swept({}, good);
  const auto copy = [&](const std::string& name) {
    fs::copy_file(good, folder.file(name));
    return folder.file(name);
  };
  const std::string text = folder.file("text.txt");
  std::ofstream(text) << std::string(200, 'x');
  check_refused(text, "not an SQLite file");
  const std::string foreign = folder.file("foreign.sqlite");
  run_sql(foreign, "CREATE TABLE t (x)");
  check_refused(foreign, "another program");
  const std::string format = copy("format.sqlite");
  run_sql(format, "PRAGMA user_version = 9");
  check_refused(format, "format 9");
  const std::string version = copy("version.sqlite");
  run_sql(version, "UPDATE sweep SET value = 'deadbeef' WHERE key = 'commit'");
  check_refused(version, "deadbeef");
  const std::string other = copy("other.sqlite");
  run_sql(other, "UPDATE sweep SET value = 'x' WHERE key = 'identity'");
  check_refused(other, "another sweep");
  const std::string damaged = copy("damaged.sqlite");
  {
    std::fstream file(damaged, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(4096, '\x5a');
  }
  check_refused(damaged, "help");
  const auto nowhere = sweep::Store::open(folder.file("no/such/folder.sqlite"), identity_of(kWords));
  REQUIRE(!nowhere.ok());
  CHECK(render(nowhere.errors()).find("cannot be read or written") != std::string::npos);
}

}  // namespace orrery::store_test
