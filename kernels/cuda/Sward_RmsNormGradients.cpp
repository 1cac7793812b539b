#include "Sward_RmsNormGradients.hpp"

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

#include "Sward_Piece.hpp"

namespace Sward {

namespace {

constexpr int threads = 256;
constexpr int warps = threads / 32;

/// 16 bytes of elements, and their values in float.
template <class T>
constexpr int pack_extent = 16 / static_cast<int>(sizeof(T));

__device__ __forceinline__ void unpack(float (&values)[4], uint4 pack) {
  values[0] = __uint_as_float(pack.x), values[1] = __uint_as_float(pack.y);
  values[2] = __uint_as_float(pack.z), values[3] = __uint_as_float(pack.w);
}
__device__ __forceinline__ void unpack(float (&values)[8], uint4 pack) {
  const unsigned word[] = {pack.x, pack.y, pack.z, pack.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    values[2 * i] = __uint_as_float(word[i] << 16);
    values[2 * i + 1] = __uint_as_float(word[i] & 0xffff0000U);
  }
}

__device__ __forceinline__ unsigned round_pair(float low, float high) {
  unsigned word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
}
__device__ __forceinline__ uint4 pack(const float (&v)[4]) {
  return make_uint4(__float_as_uint(v[0]), __float_as_uint(v[1]), __float_as_uint(v[2]), __float_as_uint(v[3]));
}
__device__ __forceinline__ uint4 pack(const float (&v)[8]) {
  return make_uint4(round_pair(v[0], v[1]), round_pair(v[2], v[3]), round_pair(v[4], v[5]), round_pair(v[6], v[7]));
}

template <class T>
__device__ __forceinline__ uint4 load(const T* source) {
  return *reinterpret_cast<const uint4*>(source);
}

template <class T>
__device__ __forceinline__ void store(T* target, uint4 pack) {
  *reinterpret_cast<uint4*>(target) = pack;
}

/// Starts the copy of one pack to shared memory. A thread waits for its own copies alone: it reads no others.
template <class T>
__device__ __forceinline__ void start_copy(uint4* target, const T* source) {
  asm volatile(
      "cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(target))),
      "l"(source)
      : "memory");
}

__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffU, value, distance);
  return value;
}

/// Which part of which rows a thread has: `width` threads have a row, `count` packs each, and the block's groups of so
/// many threads have neighbouring rows.
template <class T, int count>
struct Place {
  int width, group, member;

  static __host__ __device__ int width_of(int columns) {
    int width = 32;
    while (width < threads && pack_extent<T> * count * width < columns) width *= 2;
    return width;
  }
  __device__ explicit Place(int columns)
      : width(width_of(columns)),
        group(static_cast<int>(threadIdx.x) / width),
        member(static_cast<int>(threadIdx.x) % width) {}
  __device__ int groups() const { return threads / width; }
  __device__ int pitch() const { return width * count * pack_extent<T>; }  ///< from one row of a block to the next
  __device__ int column(int k) const { return (k * width + member) * pack_extent<T>; }
};

/// The block's shared memory: a ring of rows on their way, and where columns are written the rows of two rounds, by
/// turns, and the lists of columns. At the end parts of the weight's gradient take the ring's place.
template <class T, int count>
struct Memory {
  static constexpr int stages = count == 4 ? 2 : 3;  // enough under way to hide the latency of memory
  static constexpr int ring_packs = stages * 3 * count * threads;
  static constexpr int row_packs = count * threads;  // of all groups
  uint4* ring;
  uint4* rows;
  std::uint16_t* lists;

  __device__ explicit Memory(uint4* memory)
      : ring(memory),
        rows(memory + ring_packs),
        lists(reinterpret_cast<std::uint16_t*>(memory + ring_packs + 4 * row_packs)) {}
  static int bytes(int listed) {
    return (ring_packs + (listed > 0 ? 4 * row_packs : 0)) * 16 + listed * static_cast<int>(sizeof(std::uint16_t));
  }

  /// Where a thread's pack k of an operand is.
  __device__ uint4* pack(int stage, int operand, int k) const {
    return ring + ((stage * 3 + operand) * count + k) * threads + threadIdx.x;
  }
  __device__ T* gradient(int turn) const { return reinterpret_cast<T*>(rows + turn * row_packs); }
  __device__ T* normed(int turn) const { return reinterpret_cast<T*>(rows + (2 + turn) * row_packs); }
};

template <class T, int count>
__device__ __forceinline__ void start_row(const RmsNormOperands<T>& o, const Place<T, count>& place,
                                          const Memory<T, count>& memory, int stage, int row) {
  if (row < o.rows) {
#pragma unroll
    for (int k = 0; k < count; ++k) {
      const int j = place.column(k);
      if (j >= o.columns) continue;
      start_copy(memory.pack(stage, 0, k), o.output_gradient + row * o.output_gradient_stride + j);
      start_copy(memory.pack(stage, 1, k), o.input + row * o.input_stride + j);
      if (o.adds_to_input_gradient)
        start_copy(memory.pack(stage, 2, k), o.input_gradient + row * o.input_gradient_stride + j);
    }
  }
  end_copies();
}

/// Values of a slice that a thread writes at one time: more would meet in too few banks of shared memory.
constexpr int group_extent = 4;
template <class Value>
struct alignas(group_extent * sizeof(Value)) Group {
  Value value[group_extent];
};

/// Elements of a slice's list, so that the next list begins with a whole group.
template <class T>
__host__ __device__ int list_extent(const WrittenColumns<T>& slice) {
  return (slice.count + group_extent - 1) / group_extent * group_extent;
}

/// The numbers of the columns are needed for every row.
template <class T>
__device__ __forceinline__ std::uint16_t* copy_list(const WrittenColumns<T>& slice, std::uint16_t* list) {
  for (int s = static_cast<int>(threadIdx.x); s < slice.count; s += threads)
    list[s] = static_cast<std::uint16_t>(slice.columns[s]);
  return list + list_extent(slice);
}

template <class T>
__device__ __forceinline__ bool has_whole_groups(const WrittenColumns<T>& slice) {
  return slice.count % group_extent == 0 && slice.stride % group_extent == 0 &&
         reinterpret_cast<std::uintptr_t>(slice.values) % sizeof(Group<T>) == 0;
}

/// Writes values `first` to first + group_extent - 1, as far as they exist, of a slice's row.
template <class T>
__device__ __forceinline__ void write_group(T* values, const T* source, const std::uint16_t* list, int first, int count,
                                            bool is_whole) {
  if (is_whole) {
    const auto columns = *reinterpret_cast<const Group<std::uint16_t>*>(list + first);
    Group<T> group;
#pragma unroll
    for (int e = 0; e < group_extent; ++e) group.value[e] = source[columns.value[e]];
    *reinterpret_cast<Group<T>*>(values + first) = group;
  } else {
    const int end = min(first + group_extent, count);
    for (int s = first; s < end; ++s) values[s] = source[list[s]];
  }
}

/// All that is wanted of a row, which is in shared memory, by the threads that have it. The lists lie one behind the
/// other, and so do the groups that the threads take by turns.
template <class T, int count>
__device__ __forceinline__ void write_columns(const RmsNormOperands<T>& o, const Place<T, count>& place,
                                              const Memory<T, count>& memory, int turn, int row, bool are_whole) {
  if (row >= o.rows) return;
  const int in_memory = place.group * place.pitch();
  const int end_of_gradient = list_extent(o.gradient_columns);
  const int end_of_first = end_of_gradient + list_extent(o.normed_columns[0]);
  const int end = end_of_first + list_extent(o.normed_columns[1]);
  for (int i = place.member * group_extent; i < end; i += place.width * group_extent) {
    const bool is_gradient = i < end_of_gradient;
    const bool is_first = i < end_of_first;
    const WrittenColumns<T>& slice = is_gradient ? o.gradient_columns : o.normed_columns[is_first ? 0 : 1];
    const int begin = is_gradient ? 0 : is_first ? end_of_gradient : end_of_first;
    const T* const source = (is_gradient ? memory.gradient(turn) : memory.normed(turn)) + in_memory;
    write_group(slice.values + row * slice.stride, source, memory.lists + begin, i - begin, slice.count, are_whole);
  }
}

/// What a thread has of a row.
template <class T, int count>
struct RowPart {
  static constexpr int N = pack_extent<T>;
  float above[count][N];
  float x[count][N];
  uint4 before[count];
};

/// Reads a row that has come; the result is this thread's share of the sum of dY weight x.
template <class T, int count>
__device__ __forceinline__ float read_row(const RmsNormOperands<T>& o, const Place<T, count>& place,
                                          const Memory<T, count>& memory, int stage, const uint4 (&weight)[count],
                                          RowPart<T, count>& part) {
  float product = 0;
#pragma unroll
  for (int k = 0; k < count; ++k) {
    if (place.column(k) >= o.columns) continue;
    unpack(part.above[k], *memory.pack(stage, 0, k));
    unpack(part.x[k], *memory.pack(stage, 1, k));
    part.before[k] = o.adds_to_input_gradient ? *memory.pack(stage, 2, k) : make_uint4(0, 0, 0, 0);
    float factor[pack_extent<T>];
    unpack(factor, weight[k]);
#pragma unroll
    for (int e = 0; e < pack_extent<T>; ++e) product += part.above[k][e] * factor[e] * part.x[k][e];
  }
  return product;
}

/// The sum over the warps that share a row.
template <class T, int count>
__device__ __forceinline__ float sum_of_row(const float (&products)[warps], const Place<T, count>& place) {
  const int warps_of_row = place.width / 32;
  float sum = 0;
  for (int warp = 0; warp < warps_of_row; ++warp) sum += products[place.group * warps_of_row + warp];
  return sum;
}

/// Writes a row's gradient, and to shared memory what columns are wanted of; adds to the sums of the weight's gradient.
template <class T, int count, bool writes_columns>
__device__ __forceinline__ void write_row(const RmsNormOperands<T>& o, const Place<T, count>& place,
                                          const Memory<T, count>& memory, int turn, int row, float inverse, float along,
                                          const uint4 (&weight)[count], const RowPart<T, count>& part,
                                          float (&sums)[count][pack_extent<T>]) {
  constexpr int N = pack_extent<T>;
  const int pitch = place.pitch();
  const bool writes_normed = writes_columns && o.normed_columns[0].count + o.normed_columns[1].count > 0;
#pragma unroll
  for (int k = 0; k < count; ++k) {
    const int j = place.column(k);
    if (j >= o.columns) continue;
    float factor[N], result[N], normed[N];
    unpack(factor, weight[k]);
    unpack(result, part.before[k]);
#pragma unroll
    for (int e = 0; e < N; ++e) {
      const float scaled = inverse * part.above[k][e];
      result[e] += factor[e] * scaled - along * part.x[k][e];
      normed[e] = part.x[k][e] * inverse * factor[e];
      sums[k][e] += scaled * part.x[k][e];
    }
    const uint4 packed = pack(result);
    store(o.input_gradient + row * o.input_gradient_stride + j, packed);
    if constexpr (writes_columns) store(memory.gradient(turn) + place.group * pitch + j, packed);
    if (writes_normed) store(memory.normed(turn) + place.group * pitch + j, pack(normed));
  }
}

/// The block's part of the weight's gradient, through shared memory.
template <class T, int count>
__device__ __forceinline__ void write_partials(const RmsNormOperands<T>& o, const Place<T, count>& place, float* parts,
                                               const float (&sums)[count][pack_extent<T>]) {
  constexpr int N = pack_extent<T>;
  const int pitch = place.pitch();
#pragma unroll
  for (int k = 0; k < count; ++k)
#pragma unroll
    for (int e = 0; e < N; ++e) parts[place.group * pitch + place.column(k) + e] = sums[k][e];
  __syncthreads();
  for (int j = static_cast<int>(threadIdx.x); j < o.columns; j += threads) {
    float sum = 0;
    for (int group = 0; group < place.groups(); ++group) sum += parts[group * pitch + j];
    o.partials[static_cast<std::int64_t>(blockIdx.x) * o.columns + j] = sum;
  }
}

/// input_gradient (+)= inverse (weight dY - x inverse² mean(dY weight x)) of the rows that fall to the block; a thread
/// adds up dY x inverse, the weight's gradient, of its columns over all of them.
template <class T, int count, bool writes_columns>
__global__ void __launch_bounds__(threads, 4 / count) gradients_kernel(const __grid_constant__ RmsNormOperands<T> o) {
  extern __shared__ uint4 shared[];
  __shared__ float products[2][warps];
  const Memory<T, count> memory(shared);
  const Place<T, count> place(o.columns);
  const int step = static_cast<int>(gridDim.x) * place.groups();
  const float share = 1.0F / static_cast<float>(o.columns);
  const int begin = static_cast<int>(blockIdx.x) * place.groups();
  uint4 weight[count];
  float sums[count][pack_extent<T>] = {};
#pragma unroll
  for (int k = 0; k < count; ++k)
    if (place.column(k) < o.columns) weight[k] = load(o.weight + place.column(k));
  if constexpr (writes_columns)
    copy_list(o.normed_columns[1], copy_list(o.normed_columns[0], copy_list(o.gradient_columns, memory.lists)));
  const bool are_whole = has_whole_groups(o.gradient_columns) && has_whole_groups(o.normed_columns[0]) &&
                         has_whole_groups(o.normed_columns[1]);
  constexpr int stages = Memory<T, count>::stages;
#pragma unroll
  for (int stage = 0; stage < stages; ++stage) start_row(o, place, memory, stage, begin + place.group + stage * step);
  int stage = 0;
  int turn = 0;
  int first = begin;
  for (; first < o.rows; first += step, turn ^= 1, stage = stage + 1 == stages ? 0 : stage + 1) {
    const int row = first + place.group;
    const bool is_row = row < o.rows;
    const float inverse = is_row ? __ldg(o.inverse_rms + row) : 0.0F;
    wait_for_own_copies<stages - 1>();
    RowPart<T, count> part;
    const float product = warp_sum(is_row ? read_row(o, place, memory, stage, weight, part) : 0.0F);
    if (threadIdx.x % 32 == 0) products[turn][threadIdx.x / 32] = product;
    __syncthreads();
    start_row(o, place, memory, stage, row + stages * step);
    if constexpr (writes_columns)
      if (first > begin) write_columns(o, place, memory, turn ^ 1, row - step, are_whole);
    const float along = sum_of_row(products[turn], place) * share * (inverse * inverse * inverse);
    if (is_row) write_row<T, count, writes_columns>(o, place, memory, turn, row, inverse, along, weight, part, sums);
  }
  wait_for_own_copies<0>();
  __syncthreads();
  if constexpr (writes_columns)
    if (first > begin) write_columns(o, place, memory, turn ^ 1, first - step + place.group, are_whole);
  write_partials(o, place, reinterpret_cast<float*>(shared), sums);
}

template <class T>
void check(cudaError_t code, const RmsNormOperands<T>& o) {
  if (code != cudaSuccess)
    throw std::runtime_error(std::string("Sward::rms_norm_gradients: ") + cudaGetErrorString(code) + ", for " +
                             std::to_string(o.rows) + " x " + std::to_string(o.columns));
}

template <class T, int count, bool writes_columns>
void launch(cudaStream_t stream, const RmsNormOperands<T>& o, int listed) {
  const auto kernel = gradients_kernel<T, count, writes_columns>;
  const int bytes = Memory<T, count>::bytes(listed);
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), o);
  kernel<<<static_cast<unsigned>(o.parts), threads, static_cast<std::size_t>(bytes), stream>>>(o);
  check(cudaGetLastError(), o);
}

template <class T, int count>
void launch_for(cudaStream_t stream, const RmsNormOperands<T>& o) {
  const int listed =
      list_extent(o.gradient_columns) + list_extent(o.normed_columns[0]) + list_extent(o.normed_columns[1]);
  listed > 0 ? launch<T, count, true>(stream, o, listed) : launch<T, count, false>(stream, o, 0);
}

}  // namespace

template <class T>
void rms_norm_gradients(cudaStream_t stream, const RmsNormOperands<T>& o) {
  const int row_of_one = pack_extent<T> * threads;
  if (o.columns <= row_of_one)
    launch_for<T, 1>(stream, o);
  else if (o.columns <= 2 * row_of_one)
    launch_for<T, 2>(stream, o);
  else if (o.columns <= rms_norm_longest<T>)
    launch_for<T, 4>(stream, o);
  else
    check(cudaErrorInvalidValue, o);
}

template void rms_norm_gradients(cudaStream_t stream, const RmsNormOperands<float>& operands);
template void rms_norm_gradients(cudaStream_t stream, const RmsNormOperands<std::uint16_t>& operands);

}  // namespace Sward
