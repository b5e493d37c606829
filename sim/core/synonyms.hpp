// What other tools call things, and where they belong here: one table, beside the did-you-mean of slips. Each function
// gives a remedy for the `help` of a diagnostic, or nothing.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "orrery/core/field_table.hpp"

namespace orrery {

// Of a key that the section `where` ("" = the scenario, "layout") has not: another tool's word for one, one of another
// section, something there is not yet, or a slip.
std::string remedy_for_key(std::string_view where, std::string_view key, const std::vector<std::string>& known);

// Of a word that is none of `known`, the values of `key` or the names of a "model", "GPU", "cluster", …
std::string remedy_for_word(std::string_view key, std::string_view word, const std::vector<std::string>& known);

// Of a text that is no number or quantity of this type: 400Gbps, 8k, 2_048.
std::string remedy_for_number(FieldType type, std::string_view text);

// Every entry of the table, for the test that each names something there is: keys as "section.key", words as
// {"key", "value"}.
std::vector<std::string> synonym_keys();
std::vector<std::pair<std::string, std::string>> synonym_words();

}  // namespace orrery
