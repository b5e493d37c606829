// SQLite's C interface with owners: what fails throws StoreError, which the store turns into a diagnostic.
#pragma once
#include <sqlite3.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace orrery::sweep {

struct StoreError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Connection {
 public:
  Connection(const std::string& path, int flags);
  void run(const char* sql);
  sqlite3* get() const { return db_.get(); }
  [[noreturn]] void fail() const;

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::unique_ptr<sqlite3, Close> db_;
};

class Statement {
 public:
  Statement(Connection& connection, const std::string& sql);
  // From 1, as SQLite counts.
  void bind(int index, std::int64_t value);
  void bind(int index, double value);
  void bind(int index, const std::string& text);
  void bind_null(int index);
  bool step();  // whether there is a row
  void reset();
  bool is_null(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  double number(int column) const { return sqlite3_column_double(statement_.get(), column); }
  std::string text(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  Connection& connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace orrery::sweep
