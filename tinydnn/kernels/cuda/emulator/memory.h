// Checks of memory accesses: bounds and races. Part of runtime.cpp.
//
// The last write and the last read of every four bytes in shared memory and in arguments are recorded. Two threads that
// access the same four bytes, one of them writing, need a barrier between, or a synchronisation of their warp.
#pragma once
#include "fibres.h"

namespace {
// Whether no barrier orders the current access after an earlier one.
bool unordered(const Access& before) {
    if (before.block != g_block_number) return before.block >= 0;
    if (before.epoch != g_epoch || (before.thread == g_current && !before.sharing)) return false;
    bool same_warp = before.thread / 32 == g_current / 32 && before.sharing < 2;
    return !same_warp || before.warp_epoch == g_warps[g_current / 32].epoch;
}

void check_order(Shadow& shadow, bool write, void* code, const char* memory) {
    if (unordered(shadow.write) || (write && unordered(shadow.read))) {
        const Access& other = unordered(shadow.write) ? shadow.write : shadow.read;
        bool wrote = &other == &shadow.write;
        if (other.block != g_block_number)
            FAIL(code, "a race: thread %u of block %d %s %s that block %d has %s", g_current, g_block_number,
                 write ? "writes" : "reads", memory, other.block, wrote ? "written" : "read");
        FAIL(code, "a missing barrier: thread %u %s %s that thread %u has %s, without a barrier between", g_current,
             write ? "writes" : "reads", memory, unsigned(other.thread), wrote ? "written" : "read");
    }
    Access& own = write ? shadow.write : shadow.read;
    unsigned warp_epoch = g_warps[g_current / 32].epoch;
    unsigned char sharing = 0;
    if (!write && own.block == g_block_number && own.epoch == g_epoch) {
        bool same_warp = own.thread / 32 == g_current / 32;
        if (!same_warp || own.sharing == 2) sharing = 2;
        else if (own.warp_epoch == warp_epoch && (own.sharing || own.thread != g_current)) sharing = 1;
    }
    own = {g_block_number, (unsigned short)g_current, sharing, g_epoch, warp_epoch};
}

void check_order(std::vector<Shadow>& shadow, unsigned long offset, unsigned size, bool write, void* code, const char* memory) {
    if (size < 4) return;  // neighbouring elements share the four bytes
    for (unsigned long k = offset / 4; k <= (offset + size - 1) / 4; k++) check_order(shadow[k], write, code, memory);
}

// Check an access of `size` bytes; `code` is its return address.
void access(void* address, unsigned size, bool write, void* code) {
    char* at = static_cast<char*>(address);
    if (!g_running) return;
    if (at >= g_stacks && at < g_stacks + MAX_THREADS * STACK) return;
    if (++g_fibres[g_current].accesses > ENDLESS)
        FAIL(code, "an endless loop in thread %u: no barrier within %lu accesses", g_current, ENDLESS);
    if (at >= g_arena && at < g_arena + ARENA) {
        for (const Variable& variable : g_variables)
            if (at >= variable.begin && at + size <= variable.begin + variable.bytes)
                return check_order(g_arena_shadow, at - g_arena, size, write, code, "shared memory");
        FAIL(code, "out of bounds: thread %u of block %d %s %u bytes outside every shared array", g_current,
             g_block_number, write ? "writes" : "reads", size);
    }
    if (at >= image_begin && at < image_end) return;
    unsigned nearest = 0;
    long least = -1;
    for (unsigned k = 0; k < g_areas.size(); k++) {
        Area& area = g_areas[k];
        if (at >= area.begin && at + size <= area.end) {
            if (write && !area.writable) FAIL(code, "thread %u writes to @%u, which is read-only", g_current, k);
            return check_order(area.shadow, at - area.begin, size, write, code, "memory");
        }
        long distance = at < area.begin ? area.begin - at : at + size - area.end;
        if (least < 0 || distance < least) least = distance, nearest = k;
    }
    if (g_areas.empty() || least > (1l << 40))
        FAIL(code, "out of bounds: thread %u of block %d %s at a wild address", g_current, g_block_number,
             write ? "writes" : "reads");
    FAIL(code, "out of bounds: thread %u of block %d %s %ld bytes %s of @%u", g_current, g_block_number,
         write ? "writes" : "reads", at < g_areas[nearest].begin ? least : at - g_areas[nearest].end,
         at < g_areas[nearest].begin ? "before the start" : "past the end", nearest);
}
}  // namespace
