#include "Sward_PacketSocket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <utility>

#include "Sward_Communicator.hpp"

namespace Sward {

namespace {

/// A packet as it is sent. Ranks of a job run the same program on machines of one kind, so bytes need no order.
struct WireFormat {
  std::uint32_t kind;
  std::uint32_t length;
  std::uint64_t begun;
  std::int64_t waited_ms;
  std::array<char, 232> text;
};
static_assert(sizeof(WireFormat) == 256, "Sward: packets have no padding");

[[noreturn]] void fail(const char* call) { throw CommunicationError(std::string(call) + ": " + std::strerror(errno)); }

void check(int result, const char* call) {
  if (result < 0) fail(call);
}

bool is_temporary(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

bool wait_for(int descriptor, short events, std::chrono::milliseconds patience) {
  pollfd entry{descriptor, events, 0};
  return ::poll(&entry, 1, static_cast<int>(patience.count())) > 0;
}

void prepare(int descriptor) {
  check(::fcntl(descriptor, F_SETFL, O_NONBLOCK), "fcntl");
  check(::fcntl(descriptor, F_SETFD, FD_CLOEXEC), "fcntl");
  // Else a packet waits until the one before it has been acknowledged, and is lost if the process ends meanwhile.
  const int on = 1;
  check(::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "setsockopt");
}

sockaddr_in address_of(const std::string& text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, text.c_str(), &address.sin_addr);
  return address;
}

bool connects(int descriptor, const sockaddr_in& address, std::chrono::milliseconds patience) {
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  if (errno != EINPROGRESS || !wait_for(descriptor, POLLOUT, patience)) return false;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

}  // namespace

PacketSocket::PacketSocket(PacketSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      received_(std::move(other.received_)),
      at_end_(other.at_end_) {}

PacketSocket& PacketSocket::operator=(PacketSocket&& other) noexcept {
  if (this != &other) {
    close();
    descriptor_ = std::exchange(other.descriptor_, -1);
    received_ = std::move(other.received_);
    at_end_ = other.at_end_;
  }
  return *this;
}

PacketSocket::~PacketSocket() { close(); }

void PacketSocket::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

bool PacketSocket::send(const Packet& packet) {
  WireFormat wire{};
  wire.kind = static_cast<std::uint32_t>(packet.kind);
  wire.length = static_cast<std::uint32_t>(std::min(packet.text.size(), wire.text.size()));
  wire.begun = packet.begun;
  wire.waited_ms = packet.waited_ms;
  std::copy_n(packet.text.data(), wire.length, wire.text.data());
  const ssize_t sent = ::send(descriptor_, &wire, sizeof wire, MSG_NOSIGNAL);
  return sent == static_cast<ssize_t>(sizeof wire) || (sent < 0 && is_temporary(errno));
}

std::optional<Packet> PacketSocket::receive() {
  std::array<char, 4096> buffer{};
  while (!at_end_ && received_.size() < sizeof(WireFormat)) {
    const ssize_t count = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (count > 0) {
      received_.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count < 0 && is_temporary(errno)) {
      return {};
    } else {
      at_end_ = true;
    }
  }
  if (received_.size() < sizeof(WireFormat)) return {};
  WireFormat wire{};
  std::memcpy(&wire, received_.data(), sizeof wire);
  received_.erase(0, sizeof wire);
  const std::size_t length = std::min<std::size_t>(wire.length, wire.text.size());
  return Packet{static_cast<Packet::Kind>(wire.kind), wire.begun, wire.waited_ms,
                std::string(wire.text.data(), length)};
}

PacketListener::PacketListener() : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
  check(descriptor_, "socket");
  try {
    prepare(descriptor_);
    const sockaddr_in any = address_of("0.0.0.0", 0);
    check(::bind(descriptor_, reinterpret_cast<const sockaddr*>(&any), sizeof any), "bind");
    check(::listen(descriptor_, SOMAXCONN), "listen");
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

PacketListener::~PacketListener() { ::close(descriptor_); }

std::string PacketListener::addresses() const {
  sockaddr_in own{};
  socklen_t size = sizeof own;
  check(::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&own), &size), "getsockname");
  std::string outside;
  std::string loopback;
  ifaddrs* interfaces = nullptr;
  check(::getifaddrs(&interfaces), "getifaddrs");
  for (const ifaddrs* i = interfaces; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr || i->ifa_addr->sa_family != AF_INET || (i->ifa_flags & IFF_UP) == 0) continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(i->ifa_addr)->sin_addr, text.data(), text.size());
    ((i->ifa_flags & IFF_LOOPBACK) != 0 ? loopback : outside) += " " + std::string(text.data());
  }
  ::freeifaddrs(interfaces);
  return std::to_string(ntohs(own.sin_port)) + outside + loopback;
}

std::optional<PacketSocket> PacketListener::accept(std::chrono::milliseconds patience) {
  if (!wait_for(descriptor_, POLLIN, patience)) return {};
  const int accepted = ::accept(descriptor_, nullptr, nullptr);
  if (accepted < 0) return {};
  PacketSocket socket(accepted);
  prepare(accepted);
  return socket;
}

PacketSocket connect_to(const std::string& addresses, std::chrono::milliseconds patience) {
  std::istringstream words(addresses);
  std::uint16_t port = 0;
  words >> port;
  for (std::string address; words >> address;) {
    PacketSocket socket(::socket(AF_INET, SOCK_STREAM, 0));
    check(socket.descriptor(), "socket");
    prepare(socket.descriptor());
    if (connects(socket.descriptor(), address_of(address, port), patience)) return socket;
  }
  throw CommunicationError("no address of rank 0 answers: " + addresses);
}

}  // namespace Sward
