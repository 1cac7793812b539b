#include <fmt/core.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "Sward_ByteSource.hpp"
#include "Sward_InputError.hpp"

namespace Sward {
namespace {

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

class ZstdSource : public ByteSource {
 public:
  ZstdSource(std::unique_ptr<ByteSource> packed, std::string name)
      : packed_(std::move(packed)), name_(std::move(name)), context_(ZSTD_createDCtx()), buffer_(ZSTD_DStreamInSize()) {
    if (!context_) throw std::runtime_error("zstd: no memory to decompress");
    const int largest = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax).upperBound;
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, largest);
  }

  std::size_t read(std::span<char> buffer) override {
    ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
    while (output.pos == 0) {
      if (input_.pos == input_.size && !fill()) {
        // What is still inside the decompressor comes out without more input.
        if (inside_frame_) decompress(output);
        if (inside_frame_ && output.pos == 0) throw InputError(fmt::format("{}: this zstd file is cut short", name_));
        break;
      }
      decompress(output);
    }
    return output.pos;
  }

  std::uint64_t position() const override { return packed_->position(); }

 private:
  bool fill() {
    const std::size_t count = packed_->read(buffer_);
    input_ = {buffer_.data(), count, 0};
    return count > 0;
  }

  void decompress(ZSTD_outBuffer& output) {
    const std::size_t rest = ZSTD_decompressStream(context_.get(), &output, &input_);
    if (ZSTD_isError(rest) != 0) fail(rest);
    inside_frame_ = rest != 0;
  }

  [[noreturn]] void fail(std::size_t error) const {
    const ZSTD_ErrorCode code = ZSTD_getErrorCode(error);
    const bool is_large = code == ZSTD_error_frameParameter_windowTooLarge || code == ZSTD_error_memory_allocation;
    throw InputError(fmt::format("{}: this zstd file is {}: {}", name_,
                                 is_large ? "compressed with too large a window" : "damaged",
                                 ZSTD_getErrorName(error)));
  }

  std::unique_ptr<ByteSource> packed_;
  std::string name_;
  std::unique_ptr<ZSTD_DCtx, FreeContext> context_;
  std::vector<char> buffer_;
  ZSTD_inBuffer input_{};
  bool inside_frame_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> make_zstd_source(std::unique_ptr<ByteSource> packed, const std::string& name) {
  return std::make_unique<ZstdSource>(std::move(packed), name);
}

}  // namespace Sward
