#include "sweep/sqlite.hpp"

namespace orrery::sweep {

Connection::Connection(const std::string& path, int flags) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  db_.reset(db);
  if (code != SQLITE_OK) fail();
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, 10'000);  // another process of the same sweep writes
}

void Connection::fail() const {
  throw StoreError(db_ ? sqlite3_errmsg(db_.get()) : "out of memory");
}

void Connection::run(const char* sql) {
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

Statement::Statement(Connection& connection, const std::string& sql) : connection_(connection) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(connection.get(), sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) connection.fail();
  statement_.reset(statement);
}

void Statement::bind(int index, std::int64_t value) {
  if (sqlite3_bind_int64(statement_.get(), index, value) != SQLITE_OK) connection_.fail();
}
void Statement::bind(int index, double value) {
  if (sqlite3_bind_double(statement_.get(), index, value) != SQLITE_OK) connection_.fail();
}
void Statement::bind(int index, const std::string& text) {
  const auto size = static_cast<int>(text.size());
  if (sqlite3_bind_text(statement_.get(), index, text.data(), size, SQLITE_TRANSIENT) != SQLITE_OK) connection_.fail();
}
void Statement::bind_null(int index) {
  if (sqlite3_bind_null(statement_.get(), index) != SQLITE_OK) connection_.fail();
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code != SQLITE_ROW && code != SQLITE_DONE) connection_.fail();
  return code == SQLITE_ROW;
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
}

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  return bytes ? std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)))
               : std::string();
}

}  // namespace orrery::sweep
