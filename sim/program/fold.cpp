#include "fold.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace orrery::program {
namespace {

using Signature = std::vector<std::pair<std::int64_t, std::int64_t>>;  // (relation and role, kind of group)

// Numbers equal keys alike, in order of first appearance.
template <class Key>
std::vector<std::int64_t> intern(const std::vector<Key>& keys) {
  std::map<Key, std::int64_t> number;
  std::vector<std::int64_t> result;
  result.reserve(keys.size());
  for (const Key& key : keys)
    result.push_back(number.emplace(key, static_cast<std::int64_t>(number.size())).first->second);
  return result;
}

std::int64_t count_of(const std::vector<std::int64_t>& colours) {
  return colours.empty() ? 0 : *std::max_element(colours.begin(), colours.end()) + 1;
}

void see(const Relation& relation, std::size_t number, const std::vector<std::int64_t>& colour,
         std::vector<Signature>& signature) {
  std::vector<std::vector<std::int64_t>> keys;
  for (std::size_t g = 0; g < relation.groups->size(); ++g) {
    std::vector<std::int64_t> key;
    for (const std::int32_t rank : (*relation.groups)[g]) key.push_back(colour[static_cast<std::size_t>(rank)]);
    if (!relation.ordered) std::sort(key.begin(), key.end());
    key.push_back(relation.cost.empty() ? 0 : relation.cost[g]);
    keys.push_back(std::move(key));
  }
  const std::vector<std::int64_t> kind = intern(keys);
  for (std::size_t g = 0; g < keys.size(); ++g) {
    const auto& group = (*relation.groups)[g];
    for (std::size_t i = 0; i < group.size(); ++i) {
      const auto role = static_cast<std::int64_t>(number * 2 + (relation.ordered && i > 0 ? 1 : 0));
      signature[static_cast<std::size_t>(group[i])].emplace_back(role, kind[g]);
    }
  }
}

}  // namespace

std::vector<std::int32_t> fold_classes(const std::vector<std::int64_t>& initial,
                                       const std::vector<Relation>& relations) {
  std::vector<std::int64_t> colour = intern(initial);
  for (std::int64_t classes = -1; classes != count_of(colour);) {
    classes = count_of(colour);
    std::vector<Signature> signature;
    for (const std::int64_t c : colour) signature.push_back({{-1, c}});
    for (std::size_t i = 0; i < relations.size(); ++i) see(relations[i], i, colour, signature);
    for (Signature& s : signature) std::sort(s.begin(), s.end());
    colour = intern(signature);
  }
  return {colour.begin(), colour.end()};
}

}  // namespace orrery::program
