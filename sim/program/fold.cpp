#include "fold.hpp"

#include <algorithm>
#include <span>
#include <unordered_map>
#include <utility>

#include "orrery/core/hash.hpp"

namespace orrery::program {
namespace {

// Numbers equal lists of words alike, in order of first appearance. The lists stand one after the other in one array.
class Numbers {
 public:
  Numbers() { forget(); }
  void forget() {
    words_.clear(), hashes_.clear();
    begin_.assign({0});
    table_.assign(64, -1);
  }
  std::int64_t of(std::span<const std::int64_t> key) {
    if (recent_ < count() && is(recent_, key)) return recent_;  // neighbours are mostly alike
    Hash hash;
    for (const std::int64_t word : key) hash.add(word);
    std::size_t at = place(hash.value());
    for (; table_[at] >= 0; at = (at + 1) % table_.size())
      if (hashes_[static_cast<std::size_t>(table_[at])] == hash.value() && is(table_[at], key))
        return recent_ = table_[at];
    table_[at] = recent_ = count();
    words_.insert(words_.end(), key.begin(), key.end());
    begin_.push_back(words_.size());
    hashes_.push_back(hash.value());
    if (hashes_.size() * 2 > table_.size()) grow();
    return recent_;
  }
  std::int64_t count() const { return std::ssize(hashes_); }

 private:
  std::size_t place(std::uint64_t hash) const { return static_cast<std::size_t>(hash) & (table_.size() - 1); }
  bool is(std::int64_t number, std::span<const std::int64_t> key) const {
    const auto n = static_cast<std::size_t>(number);
    return std::equal(key.begin(), key.end(), words_.begin() + static_cast<std::ptrdiff_t>(begin_[n]),
                      words_.begin() + static_cast<std::ptrdiff_t>(begin_[n + 1]));
  }
  void grow() {
    table_.assign(table_.size() * 4, -1);
    for (std::size_t n = 0; n < hashes_.size(); ++n) {
      std::size_t at = place(hashes_[n]);
      while (table_[at] >= 0) at = (at + 1) % table_.size();
      table_[at] = static_cast<std::int64_t>(n);
    }
  }

  std::vector<std::int64_t> words_;
  std::vector<std::size_t> begin_;  // [number], and the end
  std::vector<std::uint64_t> hashes_;
  std::vector<std::int64_t> table_;  // open addressing; its size is a power of two
  std::int64_t recent_ = 0;
};

// Colours of the ranks, and what they see of the groups of a relation: numbers of (role, kind of group), mostly of one
// or two groups each.
class Colours {
 public:
  explicit Colours(const std::vector<std::int64_t>& initial) {
    for (const std::int64_t kind : initial) colour_.push_back(numbers_.of({&kind, 1}));
    count_ = numbers_.count();
  }
  // Tells apart by what their ranks see; false where that tells none.
  bool refine(const Relation& relation) {
    look_at(relation);
    numbers_.forget();
    for (std::size_t r = 0; r < colour_.size(); ++r) {
      key_.assign({seen_[r].first});
      if (seen_[r].second >= 0) key_.push_back(seen_[r].second);
      if (!more_.empty())
        if (const auto more = more_.find(r); more != more_.end())
          key_.insert(key_.end(), more->second.begin(), more->second.end());
      std::sort(key_.begin(), key_.end());
      key_.push_back(colour_[r]);
      colour_[r] = numbers_.of(key_);
    }
    return std::exchange(count_, numbers_.count()) != numbers_.count();
  }
  std::vector<std::int32_t> classes() const { return {colour_.begin(), colour_.end()}; }

 private:
  struct Seen {
    std::int64_t first = -1, second = -1;  // −1 = no group
  };

  void look_at(const Relation& relation) {
    seen_.assign(colour_.size(), {});
    more_.clear();
    numbers_.forget();
    for (std::size_t g = 0; g < relation.groups->size(); ++g) {
      const auto& group = (*relation.groups)[g];
      key_.clear();
      for (const std::int32_t rank : group) key_.push_back(colour_[static_cast<std::size_t>(rank)]);
      if (!relation.ordered && !std::is_sorted(key_.begin(), key_.end())) std::sort(key_.begin(), key_.end());
      key_.push_back(relation.cost.empty() ? 0 : relation.cost[g]);
      const std::int64_t kind = 2 * numbers_.of(key_);
      for (std::size_t i = 0; i < group.size(); ++i) see(group[i], kind + (relation.ordered && i > 0 ? 1 : 0));
    }
  }
  void see(std::int32_t rank, std::int64_t number) {
    const auto r = static_cast<std::size_t>(rank);
    if (seen_[r].first < 0)
      seen_[r].first = number;
    else if (seen_[r].second < 0)
      seen_[r].second = number;
    else
      more_[r].push_back(number);
  }

  std::vector<std::int64_t> colour_;  // [rank]
  std::int64_t count_ = 0;
  std::vector<Seen> seen_;  // [rank]
  std::unordered_map<std::size_t, std::vector<std::int64_t>> more_;
  std::vector<std::int64_t> key_;
  Numbers numbers_;
};

}  // namespace

// Each relation refines the colours that the ones before it left, until none of them refines any: the coarsest
// partition is the same in whatever order they do.
std::vector<std::int32_t> fold_classes(const std::vector<std::int64_t>& initial,
                                       const std::vector<Relation>& relations) {
  Colours colours(initial);
  for (std::size_t next = 0, without = 0; without < relations.size(); next = (next + 1) % relations.size())
    without = colours.refine(relations[next]) ? 0 : without + 1;
  return colours.classes();
}

}  // namespace orrery::program
