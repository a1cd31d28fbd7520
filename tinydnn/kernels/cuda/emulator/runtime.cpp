// Runs a kernel's blocks one after the other, and the threads of a block as fibres that take turns.
//
// g++ compiles the kernel with -fsanitize=thread, which puts a call before every access to memory. The calls lead
// here, not to that sanitizer's library: each access must lie in an argument or in shared memory, and no two threads
// may meet at a place, one of them writing, without a barrier between them.
#include "cuda.h"

#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <vector>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace {
constexpr unsigned long STACK = 1 << 17, ARENA = 1 << 18, STATIC_LIMIT = 48 << 10;
constexpr unsigned MOST_THREADS = 1024, PAYLOAD = 8;
constexpr unsigned long ENDLESS = 2000000000;  // accesses of a thread without meeting another

enum State : unsigned char { READY, AT_BARRIER, IN_WARP, DONE };

// Who touched four bytes last. `block` and the epochs say whether a barrier lies between two touches.
struct Touch {
    int block = -1;
    unsigned short thread = 0;
    unsigned char several = 0;  // 0: this thread alone; 1: others of its warp too; 2: threads of several warps
    unsigned epoch = 0, warp_epoch = 0;
};
struct Shadow { Touch write, read; };

struct Area { char* begin; char* end; bool writable; std::vector<Shadow> shadow; };
struct Variable { const void* key; char* begin; unsigned long bytes; };
struct Copy { void* to; const void* from; unsigned bytes, valid, group; };
struct Warp {
    unsigned char brought[2][32][PAYLOAD];
    void* mine[32];
    unsigned arrived = 0, generation = 0, mask = 0, size = 0, epoch = 0;
    const char* what = nullptr;
};
struct Fibre {
    State state;
    unsigned char phase;
    const char* waits_at;
    unsigned long accesses;
    unsigned group;
    std::vector<Copy> copies;
#if defined(__x86_64__)
    void* stack_pointer;
#else
    ucontext_t context;
#endif
};

char *image_begin, *image_end;  // of this library, with its constants
dim3 g_thread, g_block, g_threads, g_grid;
void (*g_body)(void**);
void** g_arguments;
char* g_stacks;
char* g_arena;
unsigned long g_arena_used, g_dynamic;
std::vector<Variable> g_variables;
std::vector<Shadow> g_arena_shadow(ARENA / 4);
std::vector<Area> g_areas;
std::vector<Fibre> g_fibres(MOST_THREADS);
std::vector<Warp> g_warps;
unsigned g_current, g_count, g_epoch;
int g_block_number;
bool g_failed, g_running;
char g_message[512];
unsigned long g_where;
unsigned long long g_random;

#if defined(__x86_64__)
void* g_scheduler;
extern "C" void emulator_switch(void** from, void* to);
__asm__(
    ".text\n.hidden emulator_switch\n.globl emulator_switch\nemulator_switch:\n"
    "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rsp, (%rdi)\n  mov %rsi, %rsp\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n  ret\n");
void to_scheduler() { emulator_switch(&g_fibres[g_current].stack_pointer, g_scheduler); }
#else
ucontext_t g_scheduler;
void to_scheduler() { swapcontext(&g_fibres[g_current].context, &g_scheduler); }
#endif

[[noreturn]] void fail(void* where) {
    g_failed = true;
    g_where = where ? static_cast<char*>(where) - image_begin : 0;
    to_scheduler();
    abort();  // a fibre that has failed is never resumed
}

#define FAIL(where, ...) (snprintf(g_message, sizeof g_message, __VA_ARGS__), fail(where))

void find_image() {
    Dl_info found;
    dladdr(reinterpret_cast<void*>(&find_image), &found);
    image_begin = image_end = static_cast<char*>(found.dli_fbase);
    auto* header = reinterpret_cast<ElfW(Ehdr)*>(image_begin);
    auto* part = reinterpret_cast<ElfW(Phdr)*>(image_begin + header->e_phoff);
    for (int k = 0; k < header->e_phnum; k++)
        if (part[k].p_type == PT_LOAD) image_end = max(image_end, image_begin + part[k].p_vaddr + part[k].p_memsz);
}

void body() {
    g_body(g_arguments);
    Fibre& fibre = g_fibres[g_current];
    if (!fibre.copies.empty()) FAIL(nullptr, "a thread ends with asynchronous copies that nobody has waited for");
    fibre.state = DONE;
    to_scheduler();
}

void prepare(unsigned thread) {
    Fibre& fibre = g_fibres[thread];
    fibre.state = READY;
    fibre.accesses = fibre.group = 0;
    fibre.copies.clear();
    char* top = g_stacks + (thread + 1) * STACK;
#if defined(__x86_64__)
    void** slot = reinterpret_cast<void**>(top) - 2;  // the stack is 8 bytes off a multiple of 16 where a function begins
    *slot = reinterpret_cast<void*>(&body);
    fibre.stack_pointer = slot - 6;
#else
    getcontext(&fibre.context);
    fibre.context.uc_stack.ss_sp = top - STACK;
    fibre.context.uc_stack.ss_size = STACK;
    fibre.context.uc_link = nullptr;
    makecontext(&fibre.context, body, 0);
#endif
}

void resume(unsigned thread) {
    g_current = thread;
    g_thread = {thread % g_threads.x, thread / g_threads.x % g_threads.y, thread / (g_threads.x * g_threads.y)};
#if defined(__x86_64__)
    emulator_switch(&g_scheduler, g_fibres[thread].stack_pointer);
#else
    swapcontext(&g_scheduler, &g_fibres[thread].context);
#endif
}

unsigned draw(unsigned below) {
    g_random ^= g_random << 13, g_random ^= g_random >> 7, g_random ^= g_random << 17;
    return unsigned(g_random % below);
}

// Whether nothing orders this touch after that one.
bool unordered(const Touch& before) {
    if (before.block != g_block_number) return before.block >= 0;
    if (before.epoch != g_epoch || (before.thread == g_current && !before.several)) return false;
    bool same_warp = before.thread / 32 == g_current / 32 && before.several < 2;
    return !same_warp || before.warp_epoch == g_warps[g_current / 32].epoch;
}

void touch(Shadow& shadow, bool write, void* where, const char* what) {
    if (unordered(shadow.write) || (write && unordered(shadow.read))) {
        const Touch& other = unordered(shadow.write) ? shadow.write : shadow.read;
        bool wrote = &other == &shadow.write;
        if (other.block != g_block_number)
            FAIL(where, "a race: thread %u of block %d %s %s that block %d has %s", g_current, g_block_number,
                 write ? "writes" : "reads", what, other.block, wrote ? "written" : "read");
        FAIL(where, "a missing barrier: thread %u %s %s that thread %u has %s, and no barrier lies between", g_current,
             write ? "writes" : "reads", what, unsigned(other.thread), wrote ? "written" : "read");
    }
    Touch& own = write ? shadow.write : shadow.read;
    unsigned warp_epoch = g_warps[g_current / 32].epoch;
    unsigned char several = 0;
    if (!write && own.block == g_block_number && own.epoch == g_epoch) {
        bool same_warp = own.thread / 32 == g_current / 32;
        if (!same_warp || own.several == 2) several = 2;
        else if (own.warp_epoch == warp_epoch && (own.several || own.thread != g_current)) several = 1;
    }
    own = {g_block_number, (unsigned short)g_current, several, g_epoch, warp_epoch};
}

void touch_all(std::vector<Shadow>& shadow, unsigned long offset, unsigned size, bool write, void* where, const char* what) {
    if (size < 4) return;  // neighbours may share the four bytes
    for (unsigned long k = offset / 4; k <= (offset + size - 1) / 4; k++) touch(shadow[k], write, where, what);
}

void access(void* address, unsigned size, bool write, void* where) {
    char* at = static_cast<char*>(address);
    if (!g_running) return;
    if (at >= g_stacks && at < g_stacks + MOST_THREADS * STACK) return;
    if (++g_fibres[g_current].accesses > ENDLESS) FAIL(where, "a loop without end: thread %u waits for what never comes", g_current);
    if (at >= g_arena && at < g_arena + ARENA) {
        for (const Variable& one : g_variables)
            if (at >= one.begin && at + size <= one.begin + one.bytes)
                return touch_all(g_arena_shadow, at - g_arena, size, write, where, "shared memory");
        FAIL(where, "out of bounds: thread %u of block %d %s %u bytes outside every shared array", g_current,
             g_block_number, write ? "writes" : "reads", size);
    }
    if (at >= image_begin && at < image_end) return;
    unsigned nearest = 0;
    long least = -1;
    for (unsigned k = 0; k < g_areas.size(); k++) {
        Area& area = g_areas[k];
        if (at >= area.begin && at + size <= area.end) {
            if (write && !area.writable) FAIL(where, "thread %u writes to @%u, which is not to be written to", g_current, k);
            return touch_all(area.shadow, at - area.begin, size, write, where, "memory");
        }
        long apart = at < area.begin ? area.begin - at : at + size - area.end;
        if (least < 0 || apart < least) least = apart, nearest = k;
    }
    if (g_areas.empty() || least > (1l << 40)) FAIL(where, "out of bounds: thread %u of block %d %s at a wild address", g_current, g_block_number, write ? "writes" : "reads");
    FAIL(where, "out of bounds: thread %u of block %d %s %ld bytes %s of @%u", g_current, g_block_number,
         write ? "writes" : "reads", at < g_areas[nearest].begin ? least : at - g_areas[nearest].end,
         at < g_areas[nearest].begin ? "before the beginning" : "behind the end", nearest);
}

void deadlock() {
    unsigned done = 0, barrier = 0, warp = 0;
    const char* what = "";
    for (unsigned k = 0; k < g_count; k++) {
        State state = g_fibres[k].state;
        done += state == DONE, barrier += state == AT_BARRIER, warp += state == IN_WARP;
        if (state == IN_WARP) what = g_fibres[k].waits_at;
    }
    g_failed = true, g_where = 0;
    int n = snprintf(g_message, sizeof g_message, "a deadlock in block %d:", g_block_number);
    if (barrier) n += snprintf(g_message + n, sizeof g_message - n, " %u of %u threads wait at __syncthreads,", barrier, g_count);
    if (warp) n += snprintf(g_message + n, sizeof g_message - n, " %u wait at %s,", warp, what);
    snprintf(g_message + n, sizeof g_message - n, " which %u others never reach", barrier ? g_count - barrier : done);
}

void run_block(int order) {
    g_variables.clear();
    memset(g_arena, 0xff, ARENA);
    g_arena_used = g_dynamic;
    if (g_dynamic) g_variables.push_back({nullptr, g_arena, g_dynamic});
    std::fill(g_arena_shadow.begin(), g_arena_shadow.end(), Shadow());
    g_warps.assign((g_count + 31) / 32, Warp());
    for (unsigned k = 0; k < g_count; k++) prepare(k);
    std::vector<unsigned> turn(g_count);
    for (unsigned k = 0; k < g_count; k++) turn[k] = order == 1 ? g_count - 1 - k : k;
    for (g_epoch = 0;; g_epoch++) {
        if (order == 2)
            for (unsigned k = g_count - 1; k > 0; k--) std::swap(turn[k], turn[draw(k + 1)]);
        for (bool ran = true; ran;) {
            ran = false;
            for (unsigned thread : turn)
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

// Wait until all lanes of the mask are here; the last one does `last`, then all go on.
template <class Work> void gather(unsigned mask, unsigned size, const char* what, void* where, Work last) {
    Warp& warp = g_warps[g_current / 32];
    unsigned lane = g_current % 32, first = g_current - lane, lanes = min(32u, g_count - first);
    mask &= lanes == 32 ? 0xffffffffu : (1u << lanes) - 1;
    if (!(mask >> lane & 1)) FAIL(where, "thread %u is not in the mask of its own %s", g_current, what);
    if (warp.arrived && (warp.mask != mask || warp.size != size || warp.what != what))
        FAIL(where, "the threads of a warp meet at different calls or with different masks at %s", what);
    warp.mask = mask, warp.size = size, warp.what = what;
    warp.arrived |= 1u << lane;
    if (warp.arrived == mask) {
        last();
        warp.arrived = 0, warp.generation++, warp.epoch++;
        for (unsigned k = 0; k < lanes; k++)
            if ((mask >> k & 1) && g_fibres[first + k].state == IN_WARP) g_fibres[first + k].state = READY;
    } else {
        g_fibres[g_current].state = IN_WARP, g_fibres[g_current].waits_at = what;
        to_scheduler();
    }
}

void meet(unsigned mask, const void* mine, unsigned size, void* of_all, const char* what) {
    Warp& warp = g_warps[g_current / 32];
    if (size > PAYLOAD) FAIL(nullptr, "%s brings more than %u bytes", what, PAYLOAD);
    auto& brought = warp.brought[warp.generation & 1];  // of the last meeting, some lanes may still be reading
    memcpy(brought[g_current % 32], mine, size);
    gather(mask, size, what, __builtin_return_address(0), [] {});
    for (unsigned k = 0; k < 32; k++) memcpy(static_cast<char*>(of_all) + k * size, brought[k], size);
}

void together(void* mine, void (*work)(void* const*), const char* what) {
    Warp& warp = g_warps[g_current / 32];
    if (g_count % 32) FAIL(__builtin_return_address(0), "%s: expected whole warps, found %u threads", what, g_count);
    warp.mine[g_current % 32] = mine;
    gather(0xffffffffu, 0, what, __builtin_return_address(0), [&] { work(warp.mine); });
}

void* shared(const void* key, unsigned long bytes) {
    for (const Variable& one : g_variables)
        if (one.key == key) return one.begin;
    unsigned long begin = (g_arena_used + 16 + 15) / 16 * 16;  // a gap, so that who runs over an end shows
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

void async_wait(unsigned left) {
    Fibre& fibre = g_fibres[g_current];
    std::vector<Copy> later;
    for (const Copy& one : fibre.copies) {
        if (one.group + left >= fibre.group) { later.push_back(one); continue; }
        void* where = __builtin_return_address(0);
        if (one.valid) access(const_cast<void*>(one.from), one.valid, false, where);
        access(one.to, one.bytes, true, where);
        memset(one.to, 0, one.bytes);
        memcpy(one.to, one.from, one.valid);
    }
    fibre.copies = later;
}
}  // namespace emulator

#define WHERE __builtin_return_address(0)
#define HOOKS(n) \
    void __tsan_read##n(void* p) { access(p, n, false, WHERE); } \
    void __tsan_write##n(void* p) { access(p, n, true, WHERE); } \
    void __tsan_unaligned_read##n(void* p) { access(p, n, false, WHERE); } \
    void __tsan_unaligned_write##n(void* p) { access(p, n, true, WHERE); } \
    void __tsan_volatile_read##n(void* p) { access(p, n, false, WHERE); } \
    void __tsan_volatile_write##n(void* p) { access(p, n, true, WHERE); }

extern "C" {
HOOKS(1) HOOKS(2) HOOKS(4) HOOKS(8) HOOKS(16)
void __tsan_read_range(void* p, unsigned long n) { access(p, n, false, WHERE); }
void __tsan_write_range(void* p, unsigned long n) { access(p, n, true, WHERE); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void*, void*) {}

// sizes: grid x y z, block x y z, dynamic shared bytes, order (0 forward, 1 reverse, 2 random), number of areas;
// areas: begin, end, writable for each. Returns 0, or 1 with a message in which @k stands for area k.
__attribute__((visibility("default"))) int emulator_run(
    void (*kernel)(void**), void** arguments, const long* sizes, char** areas, char* message, unsigned long* where) {
    if (!g_stacks) {
        find_image();
        int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        g_stacks = static_cast<char*>(mmap(nullptr, MOST_THREADS * STACK, PROT_READ | PROT_WRITE, flags, -1, 0));
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
    if (g_failed) strcpy(message, g_message), *where = g_where;
    return g_failed;
}
}
