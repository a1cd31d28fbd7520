// CUDA's names for a kernel that g++ compiles and runtime.cpp runs; only those that kernels commonly use.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#define TINYDNN_EMULATOR 1
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __noinline__
#define __restrict__
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(2) uchar2 { unsigned char x, y; };
struct alignas(4) uchar4 { unsigned char x, y, z, w; };
struct dim3 { unsigned x = 1, y = 1, z = 1; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline uchar4 make_uchar4(unsigned char x, unsigned char y, unsigned char z, unsigned char w) { return {x, y, z, w}; }

// The services of runtime.cpp for the threads of a block.
namespace emulator {
dim3 thread_index();
dim3 block_index();
dim3 block_size();
dim3 grid_size();
void barrier();
// Exchange `size` bytes among the lanes of the mask: each passes `own` and gets those of all 32 lanes in `lanes`. The lanes
// wait for each other. `name`: the CUDA function, for messages.
void exchange(unsigned mask, const void* own, unsigned size, void* lanes, const char* name);
// An operation of a whole warp: the last lane to arrive calls `work` with the operands `own` of each lane.
void collective(void* own, void (*work)(void* const* lanes), const char* name);
void* shared(const void* variable, unsigned long bytes);
void* dynamic_shared();
// An asynchronous copy into shared memory. It happens as late as possible, in `async_wait`, so that a read before it shows.
void async_copy(void* to, const void* from, unsigned bytes, unsigned valid);
void async_commit();
void async_wait(unsigned pending_groups);
unsigned lane();

template <class T, int id> T& shared_variable() {
    static char key;
    return *static_cast<T*>(shared(&key, sizeof(T)));
}

template <class T> T from_lane(unsigned mask, T value, int source, const char* name) {
    static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
    T lanes[32];
    exchange(mask, &value, sizeof(T), lanes, name);
    return lanes[source & 31];
}

// The type of a kernel's parameter as NumPy names it; for a pointer, a star and the type it points to.
template <class T> const char* type_name() {
    using U = std::remove_cv_t<T>;
    if constexpr (std::is_pointer_v<U>) {
        using V = std::remove_cv_t<std::remove_pointer_t<U>>;
        if constexpr (std::is_void_v<V>) return "*void";
        else if constexpr (std::is_floating_point_v<V>) return sizeof(V) == 4 ? "*float32" : "*float64";
        else if constexpr (std::is_same_v<V, bool>) return "*bool";
        else if constexpr (std::is_same_v<V, float2> || std::is_same_v<V, float4>) return "*float32";
        else if constexpr (std::is_same_v<V, double2>) return "*float64";
        else if constexpr (std::is_same_v<V, int2> || std::is_same_v<V, int4>) return "*int32";
        else if constexpr (std::is_same_v<V, uint2> || std::is_same_v<V, uint4>) return "*uint32";
        else if constexpr (std::is_same_v<V, uchar2> || std::is_same_v<V, uchar4>) return "*uint8";
        else if constexpr (!std::is_integral_v<V>) return "*struct";
        else if constexpr (std::is_signed_v<V>)
            return sizeof(V) == 1 ? "*int8" : sizeof(V) == 2 ? "*int16" : sizeof(V) == 4 ? "*int32" : "*int64";
        else return sizeof(V) == 1 ? "*uint8" : sizeof(V) == 2 ? "*uint16" : sizeof(V) == 4 ? "*uint32" : "*uint64";
    } else {
        if constexpr (std::is_same_v<U, float>) return "float32";
        else if constexpr (std::is_same_v<U, double>) return "float64";
        else if constexpr (std::is_same_v<U, bool>) return "bool";
        else if constexpr (!std::is_integral_v<U>) return "struct";
        else if constexpr (std::is_signed_v<U>)
            return sizeof(U) == 1 ? "int8" : sizeof(U) == 2 ? "int16" : sizeof(U) == 4 ? "int32" : "int64";
        else return sizeof(U) == 1 ? "uint8" : sizeof(U) == 2 ? "uint16" : sizeof(U) == 4 ? "uint32" : "uint64";
    }
}

template <class... P> const char* signature(void (*)(P...)) {
    static char text[1024];
    text[0] = 0;
    ((strcat(text, type_name<P>()), strcat(text, " ")), ...);
    return text;
}

template <class... P, std::size_t... I>
__attribute__((no_sanitize_thread)) void call(void (*kernel)(P...), void** arguments, std::index_sequence<I...>) {
    kernel(*static_cast<P*>(arguments[I])...);
}

template <class... P> __attribute__((no_sanitize_thread)) void call(void (*kernel)(P...), void** arguments) {
    call(kernel, arguments, std::index_sequence_for<P...>());
}
}  // namespace emulator

#define threadIdx (emulator::thread_index())
#define blockIdx (emulator::block_index())
#define blockDim (emulator::block_size())
#define gridDim (emulator::grid_size())
constexpr int warpSize = 32;

inline void __syncthreads() { emulator::barrier(); }
inline void __syncwarp(unsigned mask = 0xffffffffu) {
    char nothing = 0, lanes[32];
    emulator::exchange(mask, &nothing, 1, lanes, "__syncwarp");
}
template <class T> T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
    int lane = emulator::lane();
    return emulator::from_lane(mask, value, (lane & ~(width - 1)) | (source & (width - 1)), "__shfl_sync");
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32) {
    int lane = emulator::lane(), source = lane ^ lane_mask;
    return emulator::from_lane(mask, value, source < (lane & ~(width - 1)) + width ? source : lane, "__shfl_xor_sync");
}
template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    int lane = emulator::lane(), source = lane + int(delta);
    return emulator::from_lane(mask, value, source < (lane & ~(width - 1)) + width ? source : lane, "__shfl_down_sync");
}
template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    int lane = emulator::lane(), source = lane - int(delta);
    return emulator::from_lane(mask, value, source >= (lane & ~(width - 1)) ? source : lane, "__shfl_up_sync");
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
    int lanes[32];
    emulator::exchange(mask, &predicate, sizeof(int), lanes, "__ballot_sync");
    unsigned votes = 0;
    for (int k = 0; k < 32; k++) votes |= (mask >> k & 1) && lanes[k] ? 1u << k : 0u;
    return votes;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }

// One thread runs at a time, so these need no locks. They are exempt from the race checks.
template <class T, class U> __attribute__((no_sanitize_thread)) T atomicAdd(T* address, U value) {
    T old = *address;
    *address = old + T(value);
    return old;
}
template <class T, class U> __attribute__((no_sanitize_thread)) T atomicMax(T* address, U value) {
    T old = *address;
    if (T(value) > old) *address = T(value);
    return old;
}
template <class T, class U> __attribute__((no_sanitize_thread)) T atomicExch(T* address, U value) {
    T old = *address;
    *address = T(value);
    return old;
}
template <class T> __attribute__((no_sanitize_thread)) T atomicCAS(T* address, T expected, T value) {
    T old = *address;
    if (old == expected) *address = value;
    return old;
}
inline void __threadfence() {}
inline void __threadfence_block() {}

template <class T> inline T __ldg(const T* address) { return *address; }
inline unsigned __float_as_uint(float x) { unsigned u; memcpy(&u, &x, 4); return u; }
inline float __uint_as_float(unsigned u) { float x; memcpy(&x, &u, 4); return x; }
inline int __float_as_int(float x) { int i; memcpy(&i, &x, 4); return i; }
inline float __int_as_float(int i) { float x; memcpy(&x, &i, 4); return x; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
template <class A, class B> constexpr std::common_type_t<A, B> min(A a, B b) { return a < b ? a : b; }
template <class A, class B> constexpr std::common_type_t<A, B> max(A a, B b) { return a > b ? a : b; }
