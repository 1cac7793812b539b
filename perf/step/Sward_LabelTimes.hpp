#pragma once

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace Sward::Perf {

/// Time by label of all kernels, and of vendors' products and attention, from its construction to its end. Each is
/// waited for, so small kernels take some microseconds more than they would in a row. One at a time.
class LabelTimes {
 public:
  LabelTimes() {
    using namespace Kokkos::Tools::Experimental;
    set_begin_parallel_for_callback([](const char* name, std::uint32_t, std::uint64_t* id) { *id = begin(name); });
    set_begin_parallel_reduce_callback([](const char* name, std::uint32_t, std::uint64_t* id) { *id = begin(name); });
    set_begin_parallel_scan_callback([](const char* name, std::uint32_t, std::uint64_t* id) { *id = begin(name); });
    set_end_parallel_for_callback([](std::uint64_t) { end(); });
    set_end_parallel_reduce_callback([](std::uint64_t) { end(); });
    set_end_parallel_scan_callback([](std::uint64_t) { end(); });
    set_push_region_callback([](const char* name) { begin(name); });
    set_pop_region_callback([] { end(); });
    times().clear();
  }
  LabelTimes(const LabelTimes&) = delete;
  LabelTimes& operator=(const LabelTimes&) = delete;
  ~LabelTimes() {
    using namespace Kokkos::Tools::Experimental;
    set_begin_parallel_for_callback(nullptr);
    set_begin_parallel_reduce_callback(nullptr);
    set_begin_parallel_scan_callback(nullptr);
    set_end_parallel_for_callback(nullptr);
    set_end_parallel_reduce_callback(nullptr);
    set_end_parallel_scan_callback(nullptr);
    set_push_region_callback(nullptr);
    set_pop_region_callback(nullptr);
  }

  /// Time of all labels with this text in them.
  static double seconds_with(const std::string& text) {
    double seconds = 0.0;
    for (const auto& [name, entry] : times())
      if (name.find(text) != std::string::npos) seconds += entry.seconds;
    return seconds;
  }

  /// A table on standard output, the longest first.
  static void print() {
    std::vector<std::pair<std::string, Entry>> sorted(times().begin(), times().end());
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
    for (const auto& [name, entry] : sorted)
      std::printf("%10.3f ms %6d calls  %s\n", entry.seconds * 1e3, entry.calls, name.c_str());
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    double seconds = 0.0;
    int calls = 0;
  };
  struct Open {
    std::string name;
    Clock::time_point start;
  };

  static std::map<std::string, Entry>& times() {
    static std::map<std::string, Entry> all;
    return all;
  }
  static std::vector<Open>& open() {
    static std::vector<Open> stack;
    return stack;
  }
  static std::uint64_t begin(const char* name) {
    Kokkos::fence("Sward::Perf::LabelTimes");
    open().push_back({name, Clock::now()});
    return 0;
  }
  static void end() {
    Kokkos::fence("Sward::Perf::LabelTimes");
    Entry& entry = times()[open().back().name];
    entry.seconds += std::chrono::duration<double>(Clock::now() - open().back().start).count();
    ++entry.calls;
    open().pop_back();
  }
};

}  // namespace Sward::Perf
