#include "orrery/core/memory.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

namespace orrery {
namespace {

constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::max();

// The number behind `key` in a file of lines "key number", or the file's only number; kUnknown for "max" or nothing.
std::int64_t number_in(const std::string& path, const std::string& key = {}) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    if (!key.empty() && word != key) continue;
    if (!key.empty()) file >> word;
    std::istringstream text(word);
    std::int64_t number = 0;
    return text >> number ? number : kUnknown;
  }
  return kUnknown;
}

// Files that the kernel can drop at once count as free.
std::int64_t left_in_group(const std::string& folder, const char* most, const char* used, const char* cache) {
  const std::int64_t limit = number_in(folder + "/" + most), now = number_in(folder + "/" + used);
  if (limit >= kUnknown / 2 || now == kUnknown) return kUnknown;
  const std::int64_t dropped = number_in(folder + "/memory.stat", cache);
  return std::max<std::int64_t>(limit - now + (dropped == kUnknown ? 0 : dropped), 0);
}

// The group of this process and all above it; "0::/path" is version 2, "7:memory:/path" version 1.
std::int64_t left_in_groups() {
  std::int64_t least = kUnknown;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const bool second = line.starts_with("0::"), first = line.find(":memory:") != std::string::npos;
    if (!first && !second) continue;
    std::string path = line.substr(line.rfind(':') + 1);
    for (;;) {
      const std::string folder = (second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory") + path;
      least = std::min(least, second ? left_in_group(folder, "memory.max", "memory.current", "inactive_file")
                                     : left_in_group(folder, "memory.limit_in_bytes", "memory.usage_in_bytes",
                                                     "total_inactive_file"));
      if (path.empty()) break;
      path.erase(path.find_last_of('/'));
    }
  }
  return least;
}

std::int64_t left_of_ulimit() {
  rlimit space{};
  if (::getrlimit(RLIMIT_AS, &space) != 0 || space.rlim_cur == RLIM_INFINITY) return kUnknown;
  const std::int64_t pages = number_in("/proc/self/statm"), page = ::sysconf(_SC_PAGESIZE);
  if (space.rlim_cur > static_cast<rlim_t>(kUnknown)) return kUnknown;
  const auto most = static_cast<std::int64_t>(space.rlim_cur);
  return pages == kUnknown ? most : std::max<std::int64_t>(most - pages * page, 0);
}

}  // namespace

Bytes available_memory() {
  const std::int64_t machine = number_in("/proc/meminfo", "MemAvailable:");
  return {std::min({machine == kUnknown ? kUnknown : machine * 1024, left_in_groups(), left_of_ulimit()})};
}

Bytes default_memory_limit() {
  return {available_memory().value / 10 * 6};
}

}  // namespace orrery
