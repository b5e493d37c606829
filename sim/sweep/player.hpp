// Plays the layouts of a wave, on several threads; results that a store holds already are taken from it.
#pragma once
#include <functional>
#include <memory>
#include <span>

#include "sweep/evaluate.hpp"
#include "sweep/team.hpp"
#include "sweep/waves.hpp"

namespace orrery::sweep {

class Player {
 public:
  // `team`: the other processes, where there are any.
  Player(const Points& points, Catalogue& catalogue, const Options& options, Team* team = nullptr);

  // What plays a wave is told of it: some groups are done, of all so many; and asked for the last of the best so far,
  // or null: what a bound shows to be worse is pruned.
  struct Watch {
    std::function<void(std::span<const std::size_t> groups, std::size_t done)> told;
    std::function<const Row*()> to_beat;
  };
  // Gives each row of each group its fate. Errors of the store.
  Diagnostics play(Wave& wave, const Watch& watch);
  // The same for another process, which keeps what comes out: which rows were played, and not told by a bound.
  std::vector<char> play_for_another(Wave& wave, const Row* last);
  scenario::Scenario scenario_of(const Row& row) const;

 private:
  struct Work;  // part of one wave
  struct Order {
    std::vector<std::size_t> groups;
    std::vector<std::size_t> ends;  // of the parts that are played one after the other
  };
  Order order_of(const Wave& wave) const;
  void sort_by_bound(const Wave& wave, std::vector<std::size_t>& groups) const;
  Diagnostics look_up(Work& work) const;
  void play(Group& group, Work& work, Evaluator& evaluator) const;
  void play(std::size_t row, scenario::Scenario& scenario, Work& work, Evaluator& evaluator) const;
  scenario::Uninteresting asked_about(const scenario::Scenario& scenario, const Row* last) const;
  bool prune(Row& row, const scenario::Scenario& scenario, const Row* last) const;
  void judge(Row& row) const;
  Diagnostics keep(const Work& work) const;
  void play_all(Work& work);
  Diagnostics share(Work& work);
  void take(const Share& share, Work& work) const;
  unsigned threads() const { return static_cast<unsigned>(evaluators_.size()); }

  const Points& points_;
  const Options& options_;
  std::vector<Evaluator> evaluators_;  // [thread]
  Team* team_;
};

}  // namespace orrery::sweep
