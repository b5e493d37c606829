// Which schedules take several chunks a rank, by their own words.
#include <doctest/doctest.h>

#include "orrery/schedule/schedule.hpp"

namespace orrery::schedule::chunks_test {

TEST_CASE("a schedule without chunks refuses them") {
  int refused = 0;
  for (const ScheduleKind& kind : schedule_kinds()) {
    CAPTURE(std::string(kind.name));
    ScheduleRequest request;
    request.name = kind.name, request.ranks = 4, request.micro_batches = 8, request.chunks = 3;
    if (kind.chunked) continue;
    ++refused;
    CHECK(!make_schedule(request).ok());
  }
  CHECK(refused >= 8);
}

}  // namespace orrery::schedule::chunks_test
