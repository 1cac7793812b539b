#include "Sward_Program.hpp"

#include <cstdio>

#include "Sward_InputError.hpp"

namespace Sward {

int run_program(const std::string& name, const std::function<int()>& body) {
  try {
    return body();
  } catch (const InputError& error) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
    return ExitStatus::bad_input;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
    return ExitStatus::failed;
  }
}

}  // namespace Sward
