#include "Sward_Program.hpp"

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

void print_error(const std::string& name, const std::string& message) {
  std::fprintf(stderr, "%s: %s\n", name.c_str(), one_line(message).c_str());
}

}  // namespace

int run_program(const std::string& name, const std::function<int()>& body) {
  try {
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
