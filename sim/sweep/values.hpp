// The values of one dimension, out of words: lists, ranges, all and auto.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "sweep/keys.hpp"

namespace orrery::sweep {

inline constexpr std::string_view kSaidIn = "--space";

// At commas that stand in no brackets, without the blanks around.
std::vector<std::string> split(std::string_view text, char at);

// One item of a list: a value, or the integers of a range. `auto` is for whoever knows the scenario.
Result<std::vector<std::string>> expand(const Key& key, const std::string& item);
std::vector<std::string> every_value(const Key& key);

// What the text means for a direct key; for others, whether the scenario can be read with it.
Result<FieldValue> value_of(const Key& key, const std::string& text);
Diagnostics check_value(const Key& key, const std::string& text, const YamlTree& scenario, Catalogue& catalogue);

// The values of a key that divide what it divides in this scenario; empty where nothing is known of the key.
std::vector<std::int64_t> dividing(const std::string& key, const scenario::Scenario& scenario);
// The key on which those depend, besides those that are read: training.global_batch for micro_batch; or empty.
std::string_view depends_on(std::string_view key);

}  // namespace orrery::sweep
