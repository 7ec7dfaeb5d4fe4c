/* A shared library that loads coloop for itself. */
#include <coloop/dynamic.h>

uint64_t plugin_instance(const char *path);

uint64_t plugin_instance(const char *path) {
    return coloop_load(path) == 0 ? coloop_instance_id() : 0;
}
