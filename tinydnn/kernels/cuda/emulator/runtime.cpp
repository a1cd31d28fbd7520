// Runs the blocks of a kernel one after the other, and the threads of a block as fibres that take turns.
//
// g++ compiles the kernel with -fsanitize=thread, which inserts a call before every memory access. The functions it calls
// are here, in place of the sanitizer's library: each access must be within an argument or shared memory, and two threads
// must not access the same address, one of them writing, without a barrier between.
#include "memory.h"

namespace {
// Report that no thread can continue.
void deadlock() {
    unsigned done = 0, barrier = 0, warp = 0;
    const char* name = "";
    for (unsigned k = 0; k < g_count; k++) {
        State state = g_fibres[k].state;
        done += state == DONE, barrier += state == AT_BARRIER, warp += state == IN_WARP;
        if (state == IN_WARP) name = g_fibres[k].waiting_in;
    }
    g_failed = true, g_code_offset = 0;
    int n = snprintf(g_message, sizeof g_message, "a deadlock in block %d:", g_block_number);
    if (barrier) n += snprintf(g_message + n, sizeof g_message - n, " %u of %u threads wait at __syncthreads,", barrier, g_count);
    if (warp) n += snprintf(g_message + n, sizeof g_message - n, " %u wait at %s,", warp, name);
    snprintf(g_message + n, sizeof g_message - n, " which %u others never reach", barrier ? g_count - barrier : done);
}

void run_block(int order) {
    unsigned long used = max(g_arena_used, g_dynamic);  // by the previous block
    memset(g_arena, 0xff, used);
    std::fill(g_arena_shadow.begin(), g_arena_shadow.begin() + (used + 3) / 4, Shadow());
    g_variables.clear();
    g_arena_used = g_dynamic;
    if (g_dynamic) g_variables.push_back({nullptr, g_arena, g_dynamic});
    g_warps.assign((g_count + 31) / 32, Warp());
    for (unsigned k = 0; k < g_count; k++) prepare(k);
    std::vector<unsigned> turns(g_count);
    for (unsigned k = 0; k < g_count; k++) turns[k] = order == 1 ? g_count - 1 - k : k;
    for (g_epoch = 0;; g_epoch++) {
        if (order == 2)
            for (unsigned k = g_count - 1; k > 0; k--) std::swap(turns[k], turns[draw(k + 1)]);
        for (bool ran = true; ran;) {
            ran = false;
            for (unsigned thread : turns)
                if (g_fibres[thread].state == READY) {
                    ran = true;
                    resume(thread);
                    if (g_failed) return;
                }
        }
        unsigned done = 0, barrier = 0;
        for (unsigned k = 0; k < g_count; k++) done += g_fibres[k].state == DONE, barrier += g_fibres[k].state == AT_BARRIER;
        if (done == g_count) return;
        if (barrier < g_count) return deadlock();
        for (unsigned k = 0; k < g_count; k++) g_fibres[k].state = READY, g_fibres[k].accesses = 0;
    }
}
}  // namespace

namespace emulator {
dim3 thread_index() { return g_thread; }
dim3 block_index() { return g_block; }
dim3 block_size() { return g_threads; }
dim3 grid_size() { return g_grid; }
unsigned lane() { return g_current % 32; }

void barrier() {
    g_fibres[g_current].state = AT_BARRIER;
    to_scheduler();
}

// Wait for all lanes of the mask; the last to arrive does the work, then all continue.
template <class Work> void synchronise(unsigned mask, unsigned size, const char* name, void* code, Work work) {
    Warp& warp = g_warps[g_current / 32];
    unsigned lane = g_current % 32, first = g_current - lane, lanes = min(32u, g_count - first);
    mask &= lanes == 32 ? 0xffffffffu : (1u << lanes) - 1;
    if (!(mask >> lane & 1)) FAIL(code, "thread %u is not in the mask of its own %s", g_current, name);
    if (warp.arrived && (warp.mask != mask || warp.size != size || warp.name != name))
        FAIL(code, "the lanes of a warp arrive at different calls or with different masks at %s", name);
    warp.mask = mask, warp.size = size, warp.name = name;
    warp.arrived |= 1u << lane;
    if (warp.arrived == mask) {
        work();
        warp.arrived = 0, warp.generation++, warp.epoch++;
        for (unsigned k = 0; k < lanes; k++)
            if ((mask >> k & 1) && g_fibres[first + k].state == IN_WARP) g_fibres[first + k].state = READY;
    } else {
        g_fibres[g_current].state = IN_WARP, g_fibres[g_current].waiting_in = name;
        to_scheduler();
    }
}

void exchange(unsigned mask, const void* own, unsigned size, void* lanes, const char* name) {
    Warp& warp = g_warps[g_current / 32];
    if (size > PAYLOAD) FAIL(nullptr, "%s exchanges more than %u bytes", name, PAYLOAD);
    auto& payloads = warp.payloads[warp.generation & 1];  // lanes may still read those of the previous exchange
    memcpy(payloads[g_current % 32], own, size);
    synchronise(mask, size, name, __builtin_return_address(0), [] {});
    for (unsigned k = 0; k < 32; k++) memcpy(static_cast<char*>(lanes) + k * size, payloads[k], size);
}

void collective(void* own, void (*work)(void* const*), const char* name) {
    Warp& warp = g_warps[g_current / 32];
    if (g_count % 32) FAIL(__builtin_return_address(0), "%s: expected whole warps, found %u threads", name, g_count);
    warp.operands[g_current % 32] = own;
    synchronise(0xffffffffu, 0, name, __builtin_return_address(0), [&] { work(warp.operands); });
}

void* shared(const void* key, unsigned long bytes) {
    for (const Variable& variable : g_variables)
        if (variable.key == key) return variable.begin;
    unsigned long begin = (g_arena_used + 16 + 15) / 16 * 16;  // a gap reveals accesses past the end
    if (begin + bytes > ARENA || begin - g_dynamic + bytes > STATIC_LIMIT + 16 * (g_variables.size() + 1))
        FAIL(nullptr, "shared memory: expected at most %lu bytes of variables in a block", STATIC_LIMIT);
    g_variables.push_back({key, g_arena + begin, bytes});
    g_arena_used = begin + bytes;
    return g_arena + begin;
}

void* dynamic_shared() { return g_arena; }

void async_copy(void* to, const void* from, unsigned bytes, unsigned valid) {
    Fibre& fibre = g_fibres[g_current];
    if (reinterpret_cast<unsigned long>(to) % bytes || (valid && reinterpret_cast<unsigned long>(from) % bytes))
        FAIL(__builtin_return_address(0), "an asynchronous copy of %u bytes: expected addresses that are multiples of it", bytes);
    fibre.copies.push_back({to, from, bytes, valid, fibre.group});
}

void async_commit() { g_fibres[g_current].group++; }

void async_wait(unsigned pending_groups) {
    Fibre& fibre = g_fibres[g_current];
    std::vector<Copy> pending;
    for (const Copy& copy : fibre.copies) {
        if (copy.group + pending_groups >= fibre.group) { pending.push_back(copy); continue; }
        void* code = __builtin_return_address(0);
        if (copy.valid) access(const_cast<void*>(copy.from), copy.valid, false, code);
        access(copy.to, copy.bytes, true, code);
        memset(copy.to, 0, copy.bytes);
        memcpy(copy.to, copy.from, copy.valid);
    }
    fibre.copies = pending;
}
}  // namespace emulator

#define CODE __builtin_return_address(0)
#define HOOKS(n) \
    void __tsan_read##n(void* p) { access(p, n, false, CODE); } \
    void __tsan_write##n(void* p) { access(p, n, true, CODE); } \
    void __tsan_unaligned_read##n(void* p) { access(p, n, false, CODE); } \
    void __tsan_unaligned_write##n(void* p) { access(p, n, true, CODE); } \
    void __tsan_volatile_read##n(void* p) { access(p, n, false, CODE); } \
    void __tsan_volatile_write##n(void* p) { access(p, n, true, CODE); }

extern "C" {
HOOKS(1) HOOKS(2) HOOKS(4) HOOKS(8) HOOKS(16)
void __tsan_read_range(void* p, unsigned long n) { access(p, n, false, CODE); }
void __tsan_write_range(void* p, unsigned long n) { access(p, n, true, CODE); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void*, void*) {}

// sizes: grid x y z, block x y z, dynamic shared bytes, order (0 forward, 1 reverse, 2 random), number of areas;
// areas: begin, end, writable of each array. Returns 0, or 1 with a message, in which @k stands for area k, and the offset of
// the faulty code in this library.
__attribute__((visibility("default"))) int emulator_run(
    void (*kernel)(void**), void** arguments, const long* sizes, char** areas, char* message, unsigned long* code_offset) {
    if (!g_stacks) {
        find_image();
        int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        g_stacks = static_cast<char*>(mmap(nullptr, MAX_THREADS * STACK, PROT_READ | PROT_WRITE, flags, -1, 0));
        g_arena = static_cast<char*>(mmap(nullptr, ARENA, PROT_READ | PROT_WRITE, flags, -1, 0));
    }
    g_grid = {unsigned(sizes[0]), unsigned(sizes[1]), unsigned(sizes[2])};
    g_threads = {unsigned(sizes[3]), unsigned(sizes[4]), unsigned(sizes[5])};
    g_count = g_threads.x * g_threads.y * g_threads.z;
    g_dynamic = sizes[6], g_failed = false, g_body = kernel, g_arguments = arguments, g_random = 88172645463325252ull;
    g_areas.clear();
    for (long k = 0; k < sizes[8]; k++) {
        char *begin = areas[3 * k], *end = areas[3 * k + 1];
        g_areas.push_back({begin, end, areas[3 * k + 2] != nullptr, std::vector<Shadow>((end - begin) / 4 + 1)});
    }
    g_block_number = 0, g_running = true;
    for (g_block.z = 0; g_block.z < g_grid.z && !g_failed; g_block.z++)
        for (g_block.y = 0; g_block.y < g_grid.y && !g_failed; g_block.y++)
            for (g_block.x = 0; g_block.x < g_grid.x && !g_failed; g_block.x++, g_block_number++) run_block(int(sizes[7]));
    g_running = false;
    if (g_failed) strcpy(message, g_message), *code_offset = g_code_offset;
    return g_failed;
}
}