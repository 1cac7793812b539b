#pragma once

#include <functional>
#include <string>

namespace Sward {

/// Exit statuses that all programs share.
namespace ExitStatus {
constexpr int finished = 0;
constexpr int failed = 1;
constexpr int bad_input = 2;
constexpr int stopped = 75;
}  // namespace ExitStatus

/// Runs a program's body and turns exceptions into one line on standard error, "name: what", and an exit status:
/// InputError 2, anything else 1.
int run_program(const std::string& name, const std::function<int()>& body);

/// The same between the start and the end of MPI and Kokkos. One line is printed for all ranks; where an exception
/// leaves other ranks waiting, they are ended with its status.
int run_parallel_program(const std::string& name, int argc, char** argv, const std::function<int()>& body);

}  // namespace Sward
