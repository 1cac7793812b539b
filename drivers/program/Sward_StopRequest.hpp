#pragma once

namespace Sward {

/// From here on SIGUSR1 and SIGTERM ask the program to stop when it can: `stop_is_requested` turns true. Repeats within
/// five seconds are one request, because launchers forward a signal more than once; a later one ends the process as it
/// would have without this. For programs; a library must leave signals to its caller. Throws std::system_error.
void watch_for_stop_signals();

/// Whether a stop was requested of this process.
bool stop_is_requested();

}  // namespace Sward
