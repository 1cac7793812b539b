#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace Sward::Test {

/// A launch or a fence, as Kokkos Tools report it.
struct Launch {
  std::string label;
  std::uint32_t device;  ///< number of the execution space instance
};

/// What Kokkos launches, allocates and waits for on any thread, from construction to destruction. One at a time.
class LaunchRecording {
 public:
  LaunchRecording() {
    launches().clear();
    allocations().clear();
    fences().clear();
    regions().clear();
    namespace Tools = Kokkos::Tools::Experimental;
    Tools::set_allocate_data_callback(record_allocation);
    Tools::set_begin_parallel_for_callback(record_launch);
    Tools::set_begin_parallel_reduce_callback(record_launch);
    Tools::set_begin_parallel_scan_callback(record_launch);
    Tools::set_begin_fence_callback(record_fence);
    Tools::set_push_region_callback(record_region);
  }
  ~LaunchRecording() {
    namespace Tools = Kokkos::Tools::Experimental;
    Tools::set_allocate_data_callback(nullptr);
    Tools::set_begin_parallel_for_callback(nullptr);
    Tools::set_begin_parallel_reduce_callback(nullptr);
    Tools::set_begin_parallel_scan_callback(nullptr);
    Tools::set_begin_fence_callback(nullptr);
    Tools::set_push_region_callback(nullptr);
  }
  LaunchRecording(const LaunchRecording&) = delete;
  LaunchRecording& operator=(const LaunchRecording&) = delete;

  static std::vector<Launch>& launches() {
    static std::vector<Launch> list;
    return list;
  }
  static std::vector<std::string>& allocations() {
    static std::vector<std::string> list;
    return list;
  }
  static std::vector<Launch>& fences() {
    static std::vector<Launch> list;
    return list;
  }

  /// Regions that were entered: what a vendor's library does shows in no launch.
  static std::vector<std::string>& regions() {
    static std::vector<std::string> list;
    return list;
  }

 private:
  /// Kokkos calls back on the thread that launches.
  static std::lock_guard<std::mutex> lock() {
    static std::mutex mutex;
    return std::lock_guard<std::mutex>(mutex);
  }
  static void record_region(const char* label) {
    const auto locked = lock();
    regions().emplace_back(label);
  }
  static void record_allocation(Kokkos_Profiling_SpaceHandle, const char* label, const void*, std::uint64_t size) {
    const auto locked = lock();
    // Kokkos reports the team scratch of kernels that use none.
    if (size > 0) allocations().emplace_back(label);
  }
  static void record_launch(const char* label, std::uint32_t device, std::uint64_t* id) {
    const auto locked = lock();
    launches().push_back({label, device});
    *id = 0;
  }
  static void record_fence(const char* label, std::uint32_t device, std::uint64_t* id) {
    const auto locked = lock();
    *id = 0;
    // Kokkos waits before each callback so that a tool sees no overlap; that is not the kernels' doing.
    const std::string text = label;
    if (text.find("Kokkos Profile Tool Fence") == std::string::npos) fences().push_back({text, device});
  }
};

}  // namespace Sward::Test
