// A sweep played by several processes, here threads with queues between them: the same rows, the same store, and
// everybody goes home whatever happens.
#include <doctest/doctest.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>

#include "orrery/sweep/peers.hpp"
#include "orrery/sweep/store.hpp"

namespace orrery::sweep::team_test {
namespace {

struct Inbox {
  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<Message> messages;
};

// What one thread sees of the others.
class Queues : public Peers {
 public:
  Queues(std::vector<std::unique_ptr<Inbox>>& inboxes, int self) : inboxes_(inboxes), self_(self) {}
  int count() const override { return static_cast<int>(inboxes_.size()) - 1; }
  void send(int to, const std::string& bytes) override {
    Inbox& inbox = *inboxes_[static_cast<std::size_t>(to)];
    const std::lock_guard lock(inbox.mutex);
    inbox.messages.push_back({self_, bytes});
    inbox.arrived.notify_all();
    ++sent;
  }
  std::optional<Message> receive(bool wait) override {
    Inbox& inbox = *inboxes_[static_cast<std::size_t>(self_)];
    std::unique_lock lock(inbox.mutex);
    if (wait) inbox.arrived.wait(lock, [&] { return !inbox.messages.empty(); });
    if (inbox.messages.empty()) return std::nullopt;
    Message message = inbox.messages.front();
    inbox.messages.pop_front();
    return message;
  }
  int sent = 0;

 private:
  std::vector<std::unique_ptr<Inbox>>& inboxes_;
  int self_;
};

YamlTree tree() {
  return *read_yaml_text(
      "model: {type: gpt2, layers: 4}\n"
      "cluster: {type: selene, nodes: 1}\n"
      "training: {sequence_length: 1024, global_batch: 8, precision: bf16}\n"
      "network: ideal\n"
      "stack: megatron-2024\n",
      "test.yaml");
}
Space space_of(const std::string& words) {
  const auto space = read_space(words, tree(), Catalogue::shared());
  REQUIRE(space.ok());
  return *space;
}
const std::string kWords =
    "tensor=1,2,4; pipeline=1,2,4; micro_batch=1,2; recompute=none,full; zero=none,optimizer; model.layers=4,40";

struct Played {
  Result<Outcome> outcome = Diagnostic{};
  std::string rows;
  int answers = 0;  // messages of the others
};

// The sweep over so many processes; `others`: what each of them does.
Played play(int processes, Options options, const std::string& words = kWords,
            void (*others)(Peers&, const Options&, const std::string&) = nullptr) {
  std::vector<std::unique_ptr<Inbox>> inboxes;
  for (int i = 0; i < processes; ++i) inboxes.push_back(std::make_unique<Inbox>());
  std::vector<std::unique_ptr<Queues>> queues;
  for (int i = 0; i < processes; ++i) queues.push_back(std::make_unique<Queues>(inboxes, i));
  Played played;
  options.wave = 7;
  options.row = [&](const Row& r) {
    played.rows += std::to_string(r.point) + " " + std::string(name_of(r.status)) + " " + std::to_string(r.data) + " " +
                   std::to_string(r.figures.step_time_ps) + " " + std::to_string(r.figures.memory_bytes) + " " +
                   std::to_string(r.figures.mfu) + " " + r.why + "\n";
  };
  std::vector<std::thread> threads;
  const Options of_others = options;
  for (int i = 1; i < processes; ++i)
    threads.emplace_back([&, i] {
      if (others != nullptr)
        others(*queues[static_cast<std::size_t>(i)], of_others, words);
      else
        CHECK(serve(tree(), space_of(words), Catalogue::shared(), of_others, *queues[static_cast<std::size_t>(i)])
                  .empty());
    });
  if (processes > 1) options.peers = queues[0].get();
  played.outcome = sweep(tree(), space_of(words), Catalogue::shared(), options);
  for (std::thread& thread : threads) thread.join();
  for (int i = 1; i < processes; ++i) played.answers += queues[static_cast<std::size_t>(i)]->sent;
  return played;
}

std::string best_of(const Played& played) {
  REQUIRE(played.outcome.ok());
  std::string text;
  for (const Row& row : played.outcome->best) text += std::to_string(row.point) + " ";
  return text;
}

TEST_CASE("one, two and five processes give the same rows, pruned or not") {
  for (const bool prune : {true, false}) {
    CAPTURE(prune);
    Options options;
    options.prune = prune;
    options.top = 3;
    options.where.push_back(*Condition::parse("bubble <= 0.3", "--where"));
    const Played one = play(1, options);
    REQUIRE(one.outcome.ok());
    CHECK(one.outcome->counts.evaluated > 20);
    CHECK_FALSE(one.outcome->unwanted.empty());
    for (const int processes : {2, 5}) {
      const Played several = play(processes, options);
      CHECK(several.rows == one.rows);
      CHECK(best_of(several) == best_of(one));
      CHECK(several.outcome->counts.duplicate == one.outcome->counts.duplicate);
      CHECK(several.outcome->unwanted.size() == one.outcome->unwanted.size());
      CHECK(several.answers > processes - 1);  // they did some of it
    }
  }
}

TEST_CASE("the first keeps what the others played, and what a store holds is not sent out") {
  const auto folder = std::filesystem::temp_directory_path() / ("orrery_team_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string identity = Store::identity(tree(), space_of(kWords), Catalogue::shared(), false);
  const auto with_store = [&](int processes, const char* name) {
    auto store = Store::open((folder / name).string(), identity);
    REQUIRE(store.ok());
    Options options;
    options.prune = false;
    options.store = &*store;
    const Played played = play(processes, options);
    return std::tuple{played.rows, store->size(), played.answers};
  };
  const auto [alone, layouts, none] = with_store(1, "alone.sqlite");
  CHECK(none == 0);
  const auto [together, as_many, some] = with_store(3, "together.sqlite");
  CHECK(together == alone);
  CHECK(as_many == layouts);
  // Again: all is known, and the two others ask once each, and go home.
  const auto [again, still, asked] = with_store(3, "together.sqlite");
  CHECK(again == alone);
  CHECK(still == layouts);
  CHECK(asked == 2);
  std::filesystem::remove_all(folder);
}

TEST_CASE("where the first gives up before it begins, the others go home") {
  const Played played = play(3, {}, "global_batch=1..40000; micro_batch=1..40000");  // too many points
  REQUIRE_FALSE(played.outcome.ok());
  CHECK(render(played.outcome.errors()).find("--sample") != std::string::npos);
  CHECK(played.answers == 2);
}

TEST_CASE("a process that cannot read the scenario is named, and ends the sweep") {
  const Played played = play(2, {}, kWords, [](Peers& peers, const Options&, const std::string&) {
    Diagnostic d;
    d.place.file = "scenario.yaml";
    d.message = "cannot be opened";
    cannot_serve({d}, peers);
  });
  // The first may have played all by itself before it heard of it.
  if (played.outcome.ok()) return;
  const std::string text = render(played.outcome.errors());
  CHECK(text.find("process 1") != std::string::npos);
  CHECK(text.find("scenario.yaml: cannot be opened") != std::string::npos);
  CHECK(text.find("on every machine") != std::string::npos);
}

TEST_CASE("whoever is not needed is sent home") {
  std::vector<std::unique_ptr<Inbox>> inboxes;
  for (int i = 0; i < 2; ++i) inboxes.push_back(std::make_unique<Inbox>());
  Queues first(inboxes, 0), second(inboxes, 1);
  std::thread other([&] { CHECK(serve(tree(), space_of("tensor=1"), Catalogue::shared(), {}, second).empty()); });
  dismiss(first);
  other.join();
  CHECK(second.sent == 1);
}

}  // namespace
}  // namespace orrery::sweep::team_test
