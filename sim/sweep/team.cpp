#include "sweep/team.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "sweep/player.hpp"
#include "sweep/points.hpp"

namespace orrery::sweep {
namespace {

// The first byte of a message.
constexpr char kAsks = 'A', kPlayed = 'P', kCannot = 'C', kWork = 'W', kHome = 'H';

// Values as they lie in memory: all processes run the same program.
class Writer {
 public:
  explicit Writer(char kind) : bytes_(1, kind) {}
  template <class T>
  void add(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void add_text(const std::string& text) {
    add(text.size());
    bytes_ += text;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}
  template <class T>
  T get() {
    T value;
    check(at_ + sizeof value <= bytes_.size(), "a message between processes of a sweep is cut off");
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string get_text() {
    const auto size = get<std::size_t>();
    check(size <= bytes_.size() - at_, "a text between processes of a sweep is cut off");
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }

 private:
  const std::string& bytes_;
  std::size_t at_ = 1;
};

std::string answer_of(const Share& share) {
  Writer out(kPlayed);
  out.add(share.group), out.add(share.refused), out.add(share.rows.size());
  for (std::size_t i = 0; i < share.rows.size(); ++i) {
    const Row& row = share.rows[i];
    out.add(row.status), out.add(row.figures), out.add_text(row.why), out.add(share.played[i]);
  }
  return out.bytes();
}

Share share_of(const Message& message) {
  Reader in(message.bytes);
  Share share;
  share.group = in.get<std::size_t>();
  share.refused = in.get<bool>();
  share.rows.resize(in.get<std::size_t>());
  for (Row& row : share.rows) {
    row.status = in.get<Status>();
    row.figures = in.get<Figures>();
    row.why = in.get_text();
    share.played.push_back(in.get<char>());
  }
  return share;
}

// Groups by their place in the wave and the points of their rows.
std::string order_of(const Wave& wave, const Row* last, const std::size_t* groups, std::size_t count) {
  Writer out(kWork);
  out.add(last != nullptr);
  if (last != nullptr) out.add(last->figures);
  out.add(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Group& group = wave.groups[groups[i]];
    out.add(groups[i]), out.add(group.rows.size());
    for (const std::size_t row : group.rows) out.add(wave.rows[row].point);
  }
  return out.bytes();
}

struct Order {
  Wave wave;
  std::vector<std::size_t> places;  // of its groups in the wave of the first process
  std::optional<Row> last;
};

Order read_order(const Message& message, Points& points) {
  Reader in(message.bytes);
  Order order;
  if (in.get<bool>()) order.last.emplace().figures = in.get<Figures>();
  for (auto groups = in.get<std::size_t>(); groups > 0; --groups) {
    order.places.push_back(in.get<std::size_t>());
    Group& group = order.wave.groups.emplace_back();
    for (auto rows = in.get<std::size_t>(); rows > 0; --rows) {
      group.rows.push_back(order.wave.rows.size());
      order.wave.rows.emplace_back().point = in.get<std::int64_t>();
    }
    group.base = points.read(points.digits(order.wave.rows[group.rows.front()].point));
  }
  return order;
}

}  // namespace

Team::~Team() {
  try {
    const auto nobody = [](Share&) {};
    while (waiting_.size() < static_cast<std::size_t>(peers_.count()))
      if (const auto message = peers_.receive(true)) (void)read(*message, nobody);
    for (const int to : waiting_) peers_.send(to, std::string(1, kHome));
  } catch (const std::exception&) {  // whoever is gone needs no leave
  }
}

Diagnostics Team::read(const Message& message, const std::function<void(Share&)>& take) {
  const char kind = message.bytes.empty() ? kAsks : message.bytes.front();
  if (kind == kPlayed) {
    Share share = share_of(message);
    --outstanding_;
    take(share);
    return {};
  }
  if (!asked_[static_cast<std::size_t>(message.from)]) waiting_.push_back(message.from);
  asked_[static_cast<std::size_t>(message.from)] = true;
  if (kind != kCannot) return {};
  Diagnostic d;
  d.place.file = "process " + std::to_string(message.from);
  d.message = Reader(message.bytes).get_text();
  d.help = "every process reads the scenario by itself: is the file on every machine?";
  return {d};
}

std::size_t Team::hand_out(const Wave& wave, const Row* last, const std::vector<std::size_t>& groups,
                           std::size_t next) {
  while (!waiting_.empty() && next < groups.size()) {
    // Half of what an equal part of the rest would be, so that all end together.
    const std::size_t part = (groups.size() - next) / (2 * (static_cast<std::size_t>(peers_.count()) + 1));
    const std::size_t count = std::clamp<std::size_t>(part, 1, 256);
    const int to = waiting_.back();
    waiting_.pop_back();
    asked_[static_cast<std::size_t>(to)] = false;
    peers_.send(to, order_of(wave, last, groups.data() + next, count));
    outstanding_ += count;
    next += count;
  }
  return next;
}

Diagnostics Team::play(const Wave& wave, const Row* last, const std::vector<std::size_t>& groups,
                       const std::function<std::size_t(std::size_t)>& here, const std::function<void(Share&)>& take) {
  std::size_t next = 0;
  while (next < groups.size() || outstanding_ > 0) {
    next = hand_out(wave, last, groups, next);
    const bool rest = next == groups.size();
    if (rest && outstanding_ == 0) break;
    if (const auto message = peers_.receive(rest)) {
      if (Diagnostics errors = read(*message, take); !errors.empty()) return errors;
    } else if (!rest) {
      next += here(next);
    }
  }
  return {};
}

Diagnostics serve(const YamlTree& scenario, const Space& space, Catalogue& catalogue, const Options& options,
                  Peers& peers) {
  Result<Points> points = Points::make(space, scenario, catalogue);
  if (!points.ok()) {
    cannot_serve(points.errors(), peers);
    return points.errors();
  }
  Options how = options;
  how.store = nullptr;
  how.peers = nullptr;
  how.where.clear();
  Player player(*points, catalogue, how);
  for (;;) {
    peers.send(0, std::string(1, kAsks));
    const auto message = peers.receive(true);
    if (!message || message->bytes.empty() || message->bytes.front() == kHome) return {};
    Order order = read_order(*message, *points);
    const std::vector<char> played = player.play_for_another(order.wave, order.last ? &*order.last : nullptr);
    for (std::size_t g = 0; g < order.places.size(); ++g) {
      const Group& group = order.wave.groups[g];
      Share share{order.places[g], group.refused, {}, {}};
      for (const std::size_t row : group.rows) {
        share.rows.push_back(order.wave.rows[row]);
        share.played.push_back(played[row]);
      }
      peers.send(0, answer_of(share));
    }
  }
}

void cannot_serve(const Diagnostics& errors, Peers& peers) {
  Writer out(kCannot);
  out.add_text(render(errors));
  peers.send(0, out.bytes());
  peers.receive(true);
}

void dismiss(Peers& peers) {
  const Team team(peers);
}

}  // namespace orrery::sweep
