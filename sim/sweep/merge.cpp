#include <fmt/format.h>

#include "orrery/sweep/store.hpp"

namespace orrery::sweep {

Result<std::int64_t> merge_stores(const std::vector<std::string>& stores, const std::string& into) {
  const Result<Store> first = Store::open(stores.front());
  if (!first.ok()) return first.errors();
  const std::string identity = first->identity();
  for (const std::string& path : stores) {
    const Result<Store> other = Store::open(path);
    if (!other.ok()) return other.errors();
    if (other->identity() != identity)
      return Diagnostic{
          .place = {path},
          .path = {},
          .message = fmt::format("is the store of another sweep than {}", stores.front()),
          .help = "only parts of one sweep (the same scenario and space) can be merged; nothing was changed",
          .source_line = {}};
  }
  Result<Store> whole = Store::open(into.empty() ? stores.front() : into, identity);
  if (!whole.ok()) return whole.errors();
  for (const std::string& path : stores)
    if (path != stores.front() || !into.empty())
      if (Diagnostics errors = whole->add_all_of(path); !errors.empty()) return errors;
  return whole->size();
}

}  // namespace orrery::sweep
