// Instructions that CUDA C++ does not expose, as inline PTX, each with its equivalent for the emulator.
#pragma once

// Copy BYTES (4 or 16) from global to shared memory asynchronously; write zeros if not `valid`.
template <int BYTES> __device__ __forceinline__ void copy_async(void* to, const void* from, bool valid) {
#ifdef TINYDNN_EMULATOR
    emulator::async_copy(to, from, BYTES, valid ? BYTES : 0);
#else
    unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(to));
    int bytes = valid ? BYTES : 0;
    if constexpr (BYTES == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(bytes) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(address), "l"(from), "r"(bytes) : "memory");
#endif
}

// End a group of asynchronous copies.
__device__ __forceinline__ void commit_copies() {
#ifdef TINYDNN_EMULATOR
    emulator::async_commit();
#else
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Wait until at most PENDING of this thread's groups of copies are in flight.
template <int PENDING> __device__ __forceinline__ void wait_for_copies() {
#ifdef TINYDNN_EMULATOR
    emulator::async_wait(PENDING);
#else
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#endif
}

// x rounded to TF32 (8 exponent bits, 10 fraction bits), ties away from zero.
__device__ __forceinline__ unsigned to_tf32(float x) {
#ifdef TINYDNN_EMULATOR
    unsigned bits = __float_as_uint(x);
    return x - x == 0 ? (bits + 0x1000u) & 0xffffe000u : bits;
#else
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
#endif
}

// d += a · b on tensor cores: a is 16 × 8, b is 8 × 8, distributed over a warp. With g = lane / 4 and t = lane % 4 a lane
// holds
//   a: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4);   b: (t, g), (t + 4, g);
//   d: (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
#ifdef TINYDNN_EMULATOR
struct Operands {
    float* d;
    const unsigned *a, *b;
};

// The product of a whole warp. Like tensor cores, it ignores the last 13 bits of a and b.
__attribute__((no_sanitize_thread)) inline void multiply_add_warp(void* const* lanes) {
    float a[16][8], b[8][8];
    for (int lane = 0; lane < 32; lane++) {
        const Operands& own = *static_cast<const Operands*>(lanes[lane]);
        int g = lane / 4, t = lane % 4;
        for (int k = 0; k < 4; k++) a[g + 8 * (k % 2)][t + 4 * (k / 2)] = __uint_as_float(own.a[k] & 0xffffe000u);
        for (int k = 0; k < 2; k++) b[g][t + 4 * k] = __uint_as_float(own.b[k] & 0xffffe000u);
    }
    for (int lane = 0; lane < 32; lane++)
        for (int k = 0; k < 4; k++) {
            int row = lane / 4 + 8 * (k / 2), column = 2 * (lane % 4) + k % 2;
            float sum = static_cast<const Operands*>(lanes[lane])->d[k];
            for (int i = 0; i < 8; i++) sum += a[row][i] * b[column][i];
            static_cast<const Operands*>(lanes[lane])->d[k] = sum;
        }
}
#endif

__device__ __forceinline__ void multiply_add(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#ifdef TINYDNN_EMULATOR
    Operands own{d, a, b};
    emulator::collective(&own, multiply_add_warp, "mma.sync");
#else
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}
