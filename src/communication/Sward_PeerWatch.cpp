#include "Sward_PeerWatch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <sstream>

#include "Sward_Communicator.hpp"

namespace Sward {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds longest_period(1000);
constexpr milliseconds patience_for_an_address(5000);
constexpr int root = 0;

std::string random_password() {
  std::random_device device;
  return std::to_string((static_cast<std::uint64_t>(device()) << 32) | device());
}

std::string seconds_text(milliseconds time) {
  std::ostringstream text;
  text << static_cast<double>(time.count()) / 1000 << " s";
  return text.str();
}

}  // namespace

PeerWatch::PeerWatch(const ProcessGroup& group, milliseconds timeout, std::function<void(const PeerLoss&)> on_loss)
    : group_(group),
      timeout_(timeout),
      period_(std::clamp(timeout / 4, milliseconds(1), longest_period)),
      on_loss_(std::move(on_loss)),
      peers_(static_cast<std::size_t>(group.size())) {
  if (group.size() == 1) return;
  if (group.rank() == root) {
    PacketListener listener;
    const std::string password = random_password();
    group.broadcast(password + " " + listener.addresses(), root);
    accept_all(listener, password);
  } else {
    join(group.broadcast("", root));
  }
  if (::pipe2(wake_, O_CLOEXEC) != 0) throw CommunicationError(std::string("pipe2: ") + std::strerror(errno));
  thread_ = std::thread([this] { watch(); });
}

PeerWatch::~PeerWatch() {
  if (thread_.joinable()) {
    const char byte = 0;
    // A full pipe wakes the thread as well.
    [[maybe_unused]] const ssize_t written = ::write(wake_[1], &byte, 1);
    thread_.join();
  }
  for (const int descriptor : wake_)
    if (descriptor >= 0) ::close(descriptor);
}

void PeerWatch::accept_all(PacketListener& listener, const std::string& password) {
  const Clock::time_point deadline = Clock::now() + std::max(timeout_, patience_for_an_address);
  std::vector<PacketSocket> strangers;
  for (int missing = group_.size() - 1; missing > 0;) {
    if (Clock::now() > deadline)
      throw CommunicationError(std::to_string(missing) +
                               " ranks did not reach rank 0 over TCP, which watches over them");
    if (auto socket = listener.accept(milliseconds(20))) strangers.push_back(std::move(*socket));
    for (PacketSocket& stranger : strangers) {
      const std::optional<Packet> hello = stranger.receive();
      if (!hello) continue;
      const bool is_known = hello->kind == Packet::Kind::hello && hello->text == password && hello->begun > 0 &&
                            hello->begun < peers_.size();
      if (is_known) {
        peers_[hello->begun].socket = std::move(stranger);
        --missing;
      } else {
        stranger.close();
      }
    }
    std::erase_if(strangers, [](const PacketSocket& socket) { return !socket.is_open() || socket.is_at_end(); });
  }
}

void PeerWatch::join(const std::string& meeting_point) {
  const std::size_t end_of_password = meeting_point.find(' ');
  PacketSocket socket = connect_to(meeting_point.substr(end_of_password + 1), patience_for_an_address);
  const Packet hello{Packet::Kind::hello, static_cast<std::uint64_t>(group_.rank()), 0,
                     meeting_point.substr(0, end_of_password)};
  if (!socket.send(hello)) throw CommunicationError("rank 0 does not take packets");
  peers_[root].socket = std::move(socket);
}

void PeerWatch::watch() {
  Clock::time_point last = Clock::now();
  while (!has_ended_) {
    wait_for_packets();
    for (int rank = 0; rank < group_.size() && !has_ended_; ++rank)
      if (peers_[static_cast<std::size_t>(rank)].socket.is_open()) read_packets(rank);
    const auto elapsed = std::chrono::duration_cast<milliseconds>(Clock::now() - last);
    if (has_ended_ || elapsed < period_) continue;
    last += elapsed;
    // More has passed where the whole job was suspended: no rank is to blame for that.
    judge(std::min(elapsed, 2 * period_));
  }
  for (Peer& peer : peers_)
    if (peer.socket.is_open()) peer.socket.send({Packet::Kind::goodbye, 0, 0, ""});
}

void PeerWatch::judge(milliseconds elapsed) {
  report_own_state(elapsed);
  for (int rank = 0; rank < group_.size() && !has_ended_; ++rank) {
    Peer& peer = peers_[static_cast<std::size_t>(rank)];
    if (!peer.socket.is_open() || peer.has_left) continue;
    peer.silent += elapsed;
    if (peer.silent > timeout_) lose(rank, "it has not answered for " + seconds_text(peer.silent));
  }
  if (!has_ended_ && group_.rank() == root) judge_waiting();
}

void PeerWatch::wait_for_packets() {
  std::vector<pollfd> entries{{wake_[0], POLLIN, 0}};
  for (const Peer& peer : peers_)
    if (peer.socket.is_open()) entries.push_back({peer.socket.descriptor(), POLLIN, 0});
  ::poll(entries.data(), entries.size(), static_cast<int>(period_.count()));
  has_ended_ = entries.front().revents != 0;
}

void PeerWatch::report_own_state(milliseconds elapsed) {
  Packet& own = peers_[static_cast<std::size_t>(group_.rank())].report;
  const CollectiveStatus status = group_.log().status();
  own.begun = status.begun;
  own.waited_ms = status.oldest != 0 && status.oldest == oldest_ ? own.waited_ms + elapsed.count() : 0;
  own.text = status.waits_for;
  oldest_ = status.oldest;
  const std::string error = group_.asynchronous_error();
  if (!error.empty()) own = {Packet::Kind::end, status.begun, 0, error};
  for (Peer& peer : peers_)
    if (peer.socket.is_open() && !peer.has_left) peer.socket.send(own);
  if (!error.empty()) lose(group_.rank(), error);
}

void PeerWatch::read_packets(int rank) {
  Peer& peer = peers_[static_cast<std::size_t>(rank)];
  while (const std::optional<Packet> packet = peer.socket.receive()) {
    peer.silent = milliseconds(0);
    if (packet->kind == Packet::Kind::report) peer.report = *packet;
    if (packet->kind == Packet::Kind::goodbye) peer.has_left = true;
    if (packet->kind != Packet::Kind::end) continue;
    // Rank 0 tells what it has decided; the others, what went wrong there.
    if (rank == root) return end({packet->text, false});
    return lose(rank, packet->text);
  }
  if (!peer.socket.is_at_end()) return;
  if (!peer.has_left) lose(rank, "its process has ended");
  peer.socket.close();
}

/// Where a rank has waited for too long, those that have begun fewest collectives keep it waiting.
void PeerWatch::judge_waiting() {
  const auto waits = [&](const Peer& peer) { return milliseconds(peer.report.waited_ms) > timeout_; };
  if (std::none_of(peers_.begin(), peers_.end(), waits)) return;
  const auto slowest = std::min_element(peers_.begin(), peers_.end(), [](const Peer& one, const Peer& other) {
    return one.report.begun < other.report.begun;
  });
  const bool all_wait = std::all_of(peers_.begin(), peers_.end(), [&](const Peer& peer) {
    return !peer.report.text.empty() && peer.report.begun == slowest->report.begun;
  });
  lose(static_cast<int>(slowest - peers_.begin()),
       (all_wait ? "all ranks have waited for " : "it has kept others waiting for ") + seconds_text(timeout_));
}

std::string PeerWatch::waited_for(int lost) const {
  for (std::size_t rank = 0; rank < peers_.size(); ++rank)
    if (static_cast<int>(rank) != lost && !peers_[rank].report.text.empty()) return peers_[rank].report.text;
  return {};
}

void PeerWatch::lose(int rank, const std::string& why) {
  const std::string what = waited_for(rank);
  const std::string text = "rank " + std::to_string(rank) + " is lost: " + why +
                           (what.empty() ? "; no rank waits for a collective" : "; others wait for " + what);
  if (group_.rank() == root)
    for (Peer& peer : peers_)
      if (peer.socket.is_open()) peer.socket.send({Packet::Kind::end, 0, 0, text});
  // Where rank 0 is there to speak, the others leave it to that.
  end({text, group_.rank() == (rank == root ? 1 : root)});
}

void PeerWatch::end(const PeerLoss& loss) {
  has_ended_ = true;
  on_loss_(loss);
}

}  // namespace Sward
