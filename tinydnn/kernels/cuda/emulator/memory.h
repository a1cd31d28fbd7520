// Where a kernel may read and write, and who has been there before. Part of runtime.cpp.
//
// Of every four bytes in shared memory and in arguments it is noted who wrote and who read them last. Two threads that
// meet there, one of them writing, must have a barrier between them, or a meeting of their warp.
#pragma once
#include "fibres.h"

namespace {
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
}  // namespace
