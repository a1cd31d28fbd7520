// The state of a launch, and the threads of a block as fibres, each with its own stack. Part of runtime.cpp.
#pragma once
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
constexpr unsigned MAX_THREADS = 1024, PAYLOAD = 8;  // PAYLOAD: bytes of a lane in an exchange
constexpr unsigned long ENDLESS = 2000000000;  // accesses of a thread between two barriers

enum State : unsigned char { READY, AT_BARRIER, IN_WARP, DONE };

// The last access to four bytes. `block` and the epochs (barriers so far) tell whether a barrier separates two accesses.
struct Access {
    int block = -1;
    unsigned short thread = 0;
    unsigned char sharing = 0;  // since the last barrier: 0 this thread alone, 1 others of its warp too, 2 several warps
    unsigned epoch = 0, warp_epoch = 0;
};
struct Shadow { Access write, read; };  // of four bytes

struct Area { char* begin; char* end; bool writable; std::vector<Shadow> shadow; };
struct Variable { const void* key; char* begin; unsigned long bytes; };
struct Copy { void* to; const void* from; unsigned bytes, valid, group; };
struct Warp {
    unsigned char payloads[2][32][PAYLOAD];
    void* operands[32];
    unsigned arrived = 0, generation = 0, mask = 0, size = 0, epoch = 0;
    const char* name = nullptr;  // of the collective call
};
struct Fibre {
    State state;
    const char* waiting_in;
    unsigned long accesses;
    unsigned group;
    std::vector<Copy> copies;
#if defined(__x86_64__)
    void* stack_pointer;
#else
    ucontext_t context;
#endif
};

char *image_begin, *image_end;  // the mapping of this library, with its constants
dim3 g_thread, g_block, g_threads, g_grid;
void (*g_body)(void**);
void** g_arguments;
char* g_stacks;
char* g_arena;
unsigned long g_arena_used = ARENA, g_dynamic;  // ARENA: the first block fills all of it with NaN
std::vector<Variable> g_variables;
std::vector<Shadow> g_arena_shadow(ARENA / 4);
std::vector<Area> g_areas;
std::vector<Fibre> g_fibres(MAX_THREADS);
std::vector<Warp> g_warps;
unsigned g_current, g_count, g_epoch;
int g_block_number;
bool g_failed, g_running;
char g_message[512];
unsigned long g_code_offset;
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

// Stop the launch. `code`: the return address of the faulty access or call, to find its source line.
[[noreturn]] void fail(void* code) {
    g_failed = true;
    g_code_offset = code ? static_cast<char*>(code) - image_begin : 0;
    to_scheduler();
    abort();  // a fibre that has failed is never resumed
}

#define FAIL(code, ...) (snprintf(g_message, sizeof g_message, __VA_ARGS__), fail(code))

void find_image() {
    Dl_info info;
    dladdr(reinterpret_cast<void*>(&find_image), &info);
    image_begin = image_end = static_cast<char*>(info.dli_fbase);
    auto* header = reinterpret_cast<ElfW(Ehdr)*>(image_begin);
    auto* segment = reinterpret_cast<ElfW(Phdr)*>(image_begin + header->e_phoff);
    for (int k = 0; k < header->e_phnum; k++)
        if (segment[k].p_type == PT_LOAD)
            image_end = max(image_end, image_begin + segment[k].p_vaddr + segment[k].p_memsz);
}

void body() {
    g_body(g_arguments);
    Fibre& fibre = g_fibres[g_current];
    if (!fibre.copies.empty()) FAIL(nullptr, "a thread ends without waiting for its asynchronous copies");
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
    void** slot = reinterpret_cast<void**>(top) - 2;  // at function entry the stack is 8 bytes off a multiple of 16
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

// A pseudo-random number below `limit`.
unsigned draw(unsigned limit) {
    g_random ^= g_random << 13, g_random ^= g_random >> 7, g_random ^= g_random << 17;
    return unsigned(g_random % limit);
}
}  // namespace
