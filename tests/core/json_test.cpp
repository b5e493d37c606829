#include "core/json.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "orrery/core/error.hpp"

namespace orrery::json_test {

using Json = nlohmann::ordered_json;

TEST_CASE("a result that is not a finite number is our bug and names its key") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH_AS(dump(Json{{"a", {{"b", Json::array({1.0, nan})}}}}, 2),
                       "a result is not a finite number: a.b[1]", InternalError);
  CHECK_THROWS_WITH_AS(dump(Json{{"x", -infinity}}, 2), "a result is not a finite number: x", InternalError);
  CHECK_THROWS_WITH_AS(dump(Json(infinity), 2), "a result is not a finite number: the whole document", InternalError);
}

TEST_CASE("keys keep their order, and numbers are the shortest that read back the same") {
  CHECK(dump(Json{{"z", 1}, {"a", 0.1 + 0.2}, {"big", std::numeric_limits<std::int64_t>::max()}}, -1) ==
        R"({"z":1,"a":0.30000000000000004,"big":9223372036854775807})");
}

}  // namespace orrery::json_test
