#pragma once

#include <cstddef>
#include <cstdint>

#include "Sward_Moment.hpp"
#include "Sward_Views.hpp"

namespace Sward::Test {

/// Names the storage of moments in 8 bits.
struct EightBits;

/// A moment of zeros with its memory.
template <class Element, class Space>
struct OwnedMoment {
  Matrix<Element, Space> storage;
  OwnedMoment(std::size_t rows, std::size_t columns) : storage("moment", rows, columns) {}
};

template <class Space>
struct OwnedMoment<EightBits, Space> {
  Matrix<std::uint8_t, Space> codes;
  Matrix<float, Space> scales;
  MomentCodes<Space> storage;
  OwnedMoment(std::size_t rows, std::size_t columns)
      : codes("codes", rows, columns),
        scales("scales", rows, static_cast<std::size_t>(blocks_of(static_cast<int>(columns)))),
        storage{codes, scales} {}
};

}  // namespace Sward::Test
