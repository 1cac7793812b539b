#include "Sward_Program.hpp"

#include <H5public.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "Sward_InputError.hpp"

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

void print_error(const std::string& name, const std::string& message) {
  std::fprintf(stderr, "%s: %s\n", name.c_str(), one_line(message).c_str());
}

}  // namespace

int run_program(const std::string& name, const std::function<int()>& body) {
  try {
    leave_out_hdf5_exit_handler();
    const int status = body();
    if (std::fflush(stdout) != 0) throw std::runtime_error(std::string("standard output: ") + std::strerror(errno));
    return status;
  } catch (const InputErrorList& error) {
    for (const std::string& line : error.lines()) print_error(name, line);
    return ExitStatus::bad_input;
  } catch (const InputError& error) {
    print_error(name, error.what());
    return ExitStatus::bad_input;
  } catch (const std::exception& error) {
    print_error(name, error.what());
    return ExitStatus::failed;
  }
}

}  // namespace Sward
