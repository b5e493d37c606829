#include "core/synonyms.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/synonym_table.hpp"

namespace orrery {
namespace {

std::string same_word(std::string_view text) {
  std::string word;
  for (const char c : text)
    word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c == '-' || c == ' ' ? '_' : c;
  return word;
}

const Synonym* look_up(const Synonym* begin, const Synonym* end, std::string_view word) {
  const Synonym* at = std::find_if(begin, end, [&](const Synonym& each) { return each.word == word; });
  return at == end ? nullptr : at;
}

bool is_known(const std::vector<std::string>& known, std::string_view name) {
  return std::find(known.begin(), known.end(), name) != known.end();
}

// The one that differs in capitals, '-' and '_' alone.
const std::string* same_but_for_case(std::string_view name, const std::vector<std::string>& known) {
  const auto bare = [](std::string_view text) {
    std::string word = same_word(text);
    word.erase(std::remove(word.begin(), word.end(), '_'), word.end());
    return word;
  };
  const std::string wanted = bare(name);
  const auto at =
      std::find_if(known.begin(), known.end(), [&](const std::string& each) { return bare(each) == wanted; });
  return at == known.end() || wanted.empty() ? nullptr : &*at;
}

// 8k, 1M, 2_048, 2,048: the number that is meant, 0 where none is.
std::int64_t meant_number(std::string_view text) {
  struct Suffix {
    std::string_view name;
    std::int64_t scale;
  };
  constexpr Suffix kSuffixes[] = {{"k", 1 << 10}, {"K", 1 << 10},  {"Ki", 1 << 10},
                                  {"M", 1 << 20}, {"Mi", 1 << 20}, {"", 1}};
  for (const auto& [suffix, scale] : kSuffixes) {
    if (!text.ends_with(suffix)) continue;
    std::string digits;
    const std::string_view body = text.substr(0, text.size() - suffix.size());
    if (body.find_first_not_of("0123456789_,") != std::string_view::npos) return 0;
    for (const char c : body)
      if (c != '_' && c != ',') digits += c;
    const bool plain = digits.size() == text.size();  // it is a number, and wrong for another reason
    if (plain || digits.empty() || digits.size() > 12 || body.front() < '1' || body.front() > '9') return 0;
    return std::stoll(digits) * scale;
  }
  return 0;
}

}  // namespace

std::string remedy_for_key(std::string_view where, std::string_view key, const std::vector<std::string>& known) {
  const std::string word = same_word(key);
  if (const std::string* same = same_but_for_case(key, known)) return "did you mean '" + *same + "'?";
  if (const Synonym* absent = look_up(std::begin(kAbsent), std::end(kAbsent), word)) return std::string(absent->means);
  if (const Synonym* synonym = look_up(std::begin(kKeys), std::end(kKeys), word)) {
    const std::string_view path = synonym->means;
    const std::size_t dot = path.rfind('.');
    const std::string_view section = dot == std::string_view::npos ? "" : path.substr(0, dot);
    const std::string_view name = path.substr(dot == std::string_view::npos ? 0 : dot + 1);
    if ((section == where || where.empty()) && is_known(known, name)) return fmt::format("did you mean '{}'?", name);
    if (section != where && name == word) return fmt::format("`{}` belongs in {}: {}", name, section, path);
    if (section != where) return fmt::format("write {}{}", path, section.empty() ? ", a section of its own" : "");
  }
  return did_you_mean(key, known);
}

std::string remedy_for_word(std::string_view key, std::string_view word, const std::vector<std::string>& known) {
  if (const std::string* same = same_but_for_case(word, known)) return "write " + *same;
  const std::string plain = same_word(word);
  for (const Word& each : kWords)
    if (each.key == key && each.word == plain && is_known(known, each.means))
      return fmt::format("{} is `{}` here", word, each.means);
  return did_you_mean(word, known);
}

std::string remedy_for_number(FieldType type, std::string_view text) {
  if (text.empty()) return {};
  if (type == FieldType::integer) {
    const std::int64_t number = meant_number(text);
    return number == 0 ? std::string() : fmt::format("write {}", number);
  }
  const std::size_t end = text.find_last_of("0123456789");
  if (end == std::string_view::npos) return {};
  std::string_view unit = text.substr(end + 1);
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  std::int64_t ignored = 0;
  for (const Synonym& each : kUnits) {
    const std::string fixed = fmt::format("{} {}", text.substr(0, end + 1), each.means);
    if (each.word == unit && parse_quantity(type, fixed, ignored).empty()) return "write " + fixed;
  }
  return {};
}

std::vector<std::string> synonym_keys() {
  std::vector<std::string> keys;
  for (const Synonym& each : kKeys) keys.emplace_back(each.means);
  return keys;
}

std::vector<std::pair<std::string, std::string>> synonym_words() {
  std::vector<std::pair<std::string, std::string>> words;
  for (const Word& each : kWords) words.emplace_back(each.key, each.means);
  return words;
}

}  // namespace orrery
