#include "imports.h"
#include <windows.h>
#include "../test.h"

static void *at(const char *module, DWORD offset) {
    return (void *)(module + offset);
}

/* The place in coloop.dll that holds the function's address. */
static IMAGE_THUNK_DATA *place_of(const char *name) {
    char *module = (char *)GetModuleHandleW(L"coloop.dll");
    CHECK(module != NULL);
    IMAGE_NT_HEADERS *headers = at(module, (DWORD)((IMAGE_DOS_HEADER *)module)->e_lfanew);
    IMAGE_IMPORT_DESCRIPTOR *import = at(
        module,
        headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress);
    for (; import->Name != 0; import++) {
        IMAGE_THUNK_DATA *names = at(module, import->OriginalFirstThunk);
        IMAGE_THUNK_DATA *addresses = at(module, import->FirstThunk);
        for (; names->u1.AddressOfData != 0; names++, addresses++) {
            if (IMAGE_SNAP_BY_ORDINAL(names->u1.Ordinal))
                continue;
            IMAGE_IMPORT_BY_NAME *by_name = at(module, (DWORD)names->u1.AddressOfData);
            if (strcmp((const char *)by_name->Name, name) == 0)
                return addresses;
        }
    }
    return NULL;
}

void replace_import(const char *name, any_function_t *instead) {
    IMAGE_THUNK_DATA *place = place_of(name);
    DWORD before;
    if (place == NULL) {
        fprintf(stderr, "coloop.dll does not import %s\n", name);
        exit(1);
    }
    CHECK(VirtualProtect(place, sizeof *place, PAGE_READWRITE, &before));
    place->u1.Function = (ULONGLONG)(uintptr_t)instead;
    CHECK(VirtualProtect(place, sizeof *place, before, &before));
}
