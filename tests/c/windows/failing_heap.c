/* The heap as the library sees it, with failing_memory.c's failures. */
#include "imports.h"
#include <windows.h>
#include "../failing_memory.h"

static LPVOID WINAPI allocate(HANDLE heap, DWORD flags, SIZE_T size) {
    if (memory_denied(size))
        return NULL;
    LPVOID place = HeapAlloc(heap, flags, size);
    return flags & HEAP_ZERO_MEMORY ? place : memory_given(place, size);
}

static LPVOID WINAPI resize(HANDLE heap, DWORD flags, LPVOID place, SIZE_T size) {
    return memory_denied(size) ? NULL : HeapReAlloc(heap, flags, place, size);
}

static BOOL WINAPI release(HANDLE heap, DWORD flags, LPVOID place) {
    memory_taken_back(place);
    return HeapFree(heap, flags, place);
}

__attribute__((constructor)) static void stand_before_the_system(void) {
    replace_import("HeapAlloc", (any_function_t *)allocate);
    replace_import("HeapReAlloc", (any_function_t *)resize);
    replace_import("HeapFree", (any_function_t *)release);
}
