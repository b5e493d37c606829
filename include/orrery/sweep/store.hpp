// The results of a sweep in a file, so that one that was interrupted goes on where it was, and parts that were played
// on several machines become one. SQLite, written ahead (WAL), a transaction a wave: kill -9 loses at most one wave.
//
//   layouts(point INTEGER PRIMARY KEY,   -- its number in the order of the space, the last dimension fastest
//           status TEXT,                 -- ok, does_not_fit, refused
//           reason TEXT,                 -- refused: why
//           step_time_ps INTEGER, …)     -- the figures by the names of sweep::figure_columns(), NULL where refused
//   sweep(key TEXT PRIMARY KEY, value TEXT)   -- what was swept: version, scenario, space
//
// Points that contradict or are duplicates are told anew, and not stored. A file that is no store, is damaged, or is of
// another version, scenario or space is refused and left as it is.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/sweep/figures.hpp"
#include "orrery/sweep/space.hpp"

namespace orrery::sweep {

struct Stored {
  std::int64_t point = -1;
  Status status = Status::refused;
  Figures figures;
  std::string why;
};

class Store {
 public:
  // What makes two sweeps one: a text that is equal where they are.
  static std::string identity(const YamlTree& scenario, const Space& space, Catalogue& catalogue, bool reserved);

  // Made where there is none.
  static Result<Store> open(const std::string& path, const std::string& identity);
  // As it stands, whatever was swept.
  static Result<Store> open(const std::string& path);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  std::string identity() const;
  Result<std::optional<Stored>> find(std::int64_t point) const;
  // All of them or none; points that are there stay as they are.
  Diagnostics add(const std::vector<Stored>& results);
  Diagnostics add_all_of(const std::string& other);  // another store of the same sweep
  std::int64_t size() const;

 private:
  struct Database;
  explicit Store(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

// Everything of `stores` becomes part of the first, or of `into` where that is said. How many layouts it holds then.
Result<std::int64_t> merge_stores(const std::vector<std::string>& stores, const std::string& into);

}  // namespace orrery::sweep
