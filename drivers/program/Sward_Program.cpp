#include "Sward_Program.hpp"

#include <H5public.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "Sward_InputError.hpp"
#include "Sward_ResidentMemory.hpp"

namespace Sward {

namespace {

/// Line ends inside a message, and the indentation behind them, become semicolons.
std::string one_line(const std::string& message) {
  std::string line;
  bool broken = false;
  for (const char letter : message) {
    if (letter == '\n') broken = true;
    if (letter == '\n' || (broken && letter == ' ')) continue;
    if (broken && !line.empty()) line += "; ";
    broken = false;
    line += letter;
  }
  return line;
}

/// HDF5's own handler at exit crashes where a full disk has left a file unfinished. All files are closed by their
/// owners, so it has nothing to do. HDF5 refuses once it is in use; the handler then stays, which matters only there.
void leave_out_hdf5_exit_handler() { (void)H5dont_atexit(); }

/// What the plan of a run says must not depend on what was allocated before. glibc by itself raises the size from which
/// an allocation goes back to the system when it is freed, up to 32 MiB; here it is fixed, above the buffers of a
/// matrix product, which would cost a tenth of a step to take from the system each time. HDF5 keeps freed chunks for
/// itself.
void fix_what_is_kept_of_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, bytes_from_the_system);
  mallopt(M_TRIM_THRESHOLD, 2 * bytes_from_the_system);
#endif
  (void)H5set_free_list_limits(0, 0, 0, 0, 0, 0);
}

void print_error(const std::string& name, const std::string& message) {
  std::fprintf(stderr, "%s: %s\n", name.c_str(), one_line(message).c_str());
}

void print_errors(const std::string& name, const std::vector<std::string>& lines) {
  constexpr std::size_t most = 20;
  for (std::size_t i = 0; i < std::min(lines.size(), most); ++i) print_error(name, lines[i]);
  if (lines.size() > most) print_error(name, "... and " + std::to_string(lines.size() - most) + " more");
}

}  // namespace

int run_program(const std::string& name, const std::function<int()>& body) {
  try {
    leave_out_hdf5_exit_handler();
    (void)std::signal(SIGXFSZ, SIG_IGN);  // so that a write beyond a limit fails like one on a full disk
    fix_what_is_kept_of_freed_memory();
    const int status = body();
    if (std::fflush(stdout) != 0) throw std::runtime_error(std::string("standard output: ") + std::strerror(errno));
    return status;
  } catch (const InputErrorList& error) {
    print_errors(name, error.lines());
    return ExitStatus::bad_input;
  } catch (const InputError& error) {
    print_error(name, error.what());
    return ExitStatus::bad_input;
  } catch (const std::filesystem::filesystem_error& error) {
    print_error(name, error.path1().string() + ": " + error.code().message());
    return ExitStatus::bad_input;
  } catch (const std::exception& error) {
    print_error(name, error.what());
    return ExitStatus::failed;
  }
}

}  // namespace Sward
