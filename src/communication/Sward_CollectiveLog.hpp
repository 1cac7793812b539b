#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

namespace Sward {

/// What one rank is doing with its peers at a moment.
struct CollectiveStatus {
  std::uint64_t begun = 0;   ///< collectives so far; all ranks begin the same ones in the same order
  std::uint64_t oldest = 0;  ///< number of the oldest that is not finished; 0: there is none
  std::string waits_for;     ///< its name
};

/// The collectives that a rank begins and finishes. Another thread may ask for the status.
class CollectiveLog {
 public:
  /// Returns the collective's number.
  std::uint64_t begin(const std::string& what);
  void finish(std::uint64_t number);
  CollectiveStatus status() const;

 private:
  struct Entry {
    std::uint64_t number;
    std::string what;
  };
  mutable std::mutex mutex_;
  std::deque<Entry> under_way_;
  std::uint64_t begun_ = 0;
};

/// A collective that is over when this object is.
class LoggedCollective {
 public:
  LoggedCollective(CollectiveLog& log, const std::string& what) : log_(log), number_(log.begin(what)) {}
  LoggedCollective(const LoggedCollective&) = delete;
  LoggedCollective& operator=(const LoggedCollective&) = delete;
  ~LoggedCollective() { log_.finish(number_); }

 private:
  CollectiveLog& log_;
  std::uint64_t number_;
};

}  // namespace Sward
