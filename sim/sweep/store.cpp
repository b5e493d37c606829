#include "orrery/sweep/store.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "orrery/core/hash.hpp"
#include "orrery/core/version.hpp"
#include "scenario/parts.hpp"
#include "sweep/sqlite.hpp"

namespace orrery::sweep {
namespace {

constexpr std::uint32_t kApplication = 0x4f525259;  // "ORRY" in the header of the file
constexpr std::uint32_t kFormat = 1;                // of the tables

Diagnostic store_error(const std::string& path, std::string message, std::string help) {
  Diagnostic d;
  d.place.file = path;
  d.message = std::move(message);
  d.help = std::move(help);
  return d;
}

Diagnostic broken(const std::string& path, const StoreError& error) {
  return store_error(
      path, fmt::format("the store cannot be read or written: {}", error.what()),
      "is the disk full or read-only, or the file damaged? It was left as it was; --store takes another name");
}

std::uint32_t word_at(const std::array<unsigned char, 100>& header, std::size_t at) {
  return std::uint32_t{header[at]} << 24 | std::uint32_t{header[at + 1]} << 16 | std::uint32_t{header[at + 2]} << 8 |
         std::uint32_t{header[at + 3]};
}

// What a file is by its first hundred bytes (https://sqlite.org/fileformat.html), told without opening it as a
// database.
Diagnostics check_header(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0 || (S_ISREG(about.st_mode) && about.st_size == 0)) return {};  // to be made
  const std::string other = "--store takes a file of its own";
  if (!S_ISREG(about.st_mode)) return {store_error(path, "is no file", other)};
  std::array<unsigned char, 100> header{};
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(header.data()), header.size()))
    return {store_error(path, "is no store of a sweep", other)};
  if (std::string(reinterpret_cast<const char*>(header.data()), 15) != "SQLite format 3")
    return {store_error(path, "is no store of a sweep: not an SQLite file", other)};
  if (word_at(header, 68) != kApplication) return {store_error(path, "is an SQLite file of another program", other)};
  if (word_at(header, 60) != kFormat)
    return {store_error(
        path, fmt::format("is a store of format {}, this version of Orrery has {}", word_at(header, 60), kFormat),
        "go on with the version that made it, or start a new store")};
  return {};
}

std::string columns_sql(bool types) {
  std::string text;
  for (const FigureColumn& column : figure_columns())
    text += fmt::format(", {}{}", column.name, !types ? "" : column.whole ? " INTEGER" : " REAL");
  return text;
}

std::string figures_sql() {
  return "memory_bytes, tokens" + columns_sql(false);
}

std::string marks(std::size_t count) {
  std::string text = "?";
  for (std::size_t i = 1; i < count; ++i) text += ", ?";
  return text;
}

Status status_of(const std::string& name) {
  for (const Status status : {Status::ok, Status::does_not_fit, Status::refused})
    if (name_of(status) == name) return status;
  throw StoreError("'" + name + "' is no status");
}

}  // namespace

struct Store::Database {
  std::string path;
  Connection connection;
  Statement find, add;

  Database(const std::string& file, int flags)
      : path(file),
        connection(file, flags),
        find(connection, "SELECT status, reason, " + figures_sql() + " FROM layouts WHERE point = ?"),
        add(connection, "INSERT OR IGNORE INTO layouts (point, status, reason, " + figures_sql() + ") VALUES (" +
                            marks(5 + figure_columns().size()) + ")") {
    connection.run("PRAGMA journal_mode = WAL");
    connection.run("PRAGMA synchronous = NORMAL");
  }
};

namespace {

// All or nothing: a store that was killed while it was made is made again.
void make_tables(Connection& connection, const std::string& identity) {
  connection.run("BEGIN IMMEDIATE");
  connection.run(fmt::format("PRAGMA application_id = {}", kApplication).c_str());
  connection.run(fmt::format("PRAGMA user_version = {}", kFormat).c_str());
  connection.run("CREATE TABLE IF NOT EXISTS sweep (key TEXT PRIMARY KEY, value TEXT NOT NULL)");
  connection.run(("CREATE TABLE IF NOT EXISTS layouts (point INTEGER PRIMARY KEY, status TEXT NOT NULL, reason TEXT, "
                  "memory_bytes INTEGER, tokens INTEGER" +
                  columns_sql(true) + ")")
                     .c_str());
  Statement meta(connection, "INSERT OR IGNORE INTO sweep VALUES (?, ?)");
  for (const auto& [key, value] :
       {std::pair<std::string, std::string>{"version", version()}, {"commit", git_hash()}, {"identity", identity}}) {
    meta.bind(1, key);
    meta.bind(2, value);
    meta.step();
    meta.reset();
  }
  connection.run("COMMIT");
}

std::string value_of(Connection& connection, const std::string& key) {
  Statement select(connection, "SELECT value FROM sweep WHERE key = ?");
  select.bind(1, key);
  return select.step() ? select.text(0) : std::string();
}

// Through a connection that cannot write: whatever is found, the file stays as it is.
Diagnostics check_inside(const std::string& path, const std::string* identity) {
  Connection connection(path, SQLITE_OPEN_READONLY);
  Statement quick(connection, "PRAGMA quick_check(1)");
  if (!quick.step() || quick.text(0) != "ok")
    return {
        store_error(path, "the store is damaged", "restore it from a copy, or start a new one; it was left as it was")};
  if (const std::string made_by = value_of(connection, "commit"); made_by != git_hash())
    return {store_error(
        path, fmt::format("is a store of orrery {}, this is {}: their results may differ", made_by, git_hash()),
        "go on with the version that made it, or start a new store")};
  if (identity && value_of(connection, "identity") != *identity)
    return {store_error(path, "is the store of another sweep: its scenario or its space differs",
                        "say the same scenario, --set and --space as before, or another --store")};
  return {};
}

bool is_there(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 && about.st_size > 0;
}

}  // namespace

std::string Store::identity(const YamlTree& scenario, const Space& space, Catalogue& catalogue, bool reserved) {
  std::string text = reserved ? "reserved\n" : "";
  if (const auto base = scenario::read_parts(scenario, catalogue); base.ok()) text += scenario::to_json(*base);
  for (const Dimension& d : space.dimensions) {
    text += d.key + "=";
    for (const std::string& value : d.values) text += value + ",";
    text += "\n";
  }
  Hash hash;
  hash.add(text);
  return hash.hex();
}

Store::Store(std::unique_ptr<Database> database) : database_(std::move(database)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const std::string& path, const std::string& identity) {
  try {
    if (Diagnostics errors = check_header(path); !errors.empty()) return errors;
    // A journal is left only by a store that was killed while it was made: SQLite takes it back.
    if (is_there(path) && !is_there(path + "-journal"))
      if (Diagnostics errors = check_inside(path, &identity); !errors.empty()) return errors;
    {
      Connection connection(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
      make_tables(connection, identity);
    }
    return Store(std::make_unique<Database>(path, SQLITE_OPEN_READWRITE));
  } catch (const StoreError& error) {
    return broken(path, error);
  }
}

Result<Store> Store::open(const std::string& path) {
  try {
    if (!is_there(path)) return store_error(path, "there is no such store", "orrery sweep SCENARIO --store makes one");
    if (Diagnostics errors = check_header(path); !errors.empty()) return errors;
    if (Diagnostics errors = check_inside(path, nullptr); !errors.empty()) return errors;
    return Store(std::make_unique<Database>(path, SQLITE_OPEN_READWRITE));
  } catch (const StoreError& error) {
    return broken(path, error);
  }
}

std::string Store::identity() const {
  return value_of(database_->connection, "identity");
}

namespace {

std::optional<Stored> stored_at(Statement& find, std::int64_t point) {
  find.reset();
  find.bind(1, point);
  if (!find.step()) return {};
  Stored stored;
  stored.point = point;
  stored.status = status_of(find.text(0));
  stored.why = find.text(1);
  if (stored.status == Status::refused) return stored;
  stored.figures.memory_bytes = find.integer(2);
  stored.figures.tokens = find.integer(3);
  int column = 4;
  for (const FigureColumn& figure : figure_columns()) {
    if (figure.whole)
      *figure.whole_of(stored.figures) = find.integer(column++);
    else
      *figure.of(stored.figures) = find.number(column++);
  }
  find.reset();
  return stored;
}

}  // namespace

Result<std::optional<Stored>> Store::find(std::int64_t point) const {
  try {
    return stored_at(database_->find, point);
  } catch (const StoreError& error) {
    return broken(database_->path, error);
  }
}

Diagnostics Store::add(const std::vector<Stored>& results) {
  if (results.empty()) return {};
  try {
    Database& db = *database_;
    db.connection.run("BEGIN IMMEDIATE");
    for (const Stored& stored : results) {
      Figures f = stored.figures;
      db.add.reset();
      db.add.bind(1, stored.point);
      db.add.bind(2, std::string(name_of(stored.status)));
      db.add.bind(3, stored.why);
      db.add.bind(4, f.memory_bytes);
      db.add.bind(5, f.tokens);
      int index = 6;
      for (const FigureColumn& figure : figure_columns()) {
        if (figure.whole)
          db.add.bind(index++, *figure.whole_of(f));
        else
          db.add.bind(index++, *figure.of(f));
      }
      db.add.step();
    }
    db.add.reset();
    db.connection.run("COMMIT");
    return {};
  } catch (const StoreError& error) {
    sqlite3_exec(database_->connection.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    return {broken(database_->path, error)};
  }
}

Diagnostics Store::add_all_of(const std::string& other) {
  try {
    Statement attach(database_->connection, "ATTACH DATABASE ? AS other");
    attach.bind(1, other);
    attach.step();
    attach.reset();
    database_->connection.run("INSERT OR IGNORE INTO layouts SELECT * FROM other.layouts");
    database_->connection.run("DETACH DATABASE other");
    return {};
  } catch (const StoreError& error) {
    return {broken(other, error)};
  }
}

std::int64_t Store::size() const {
  Statement count(database_->connection, "SELECT count(*) FROM layouts");
  count.step();
  return count.integer(0);
}

}  // namespace orrery::sweep
