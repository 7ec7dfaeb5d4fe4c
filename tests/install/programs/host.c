/* A program with coloop linked into it statically, and exported: host PLUGIN */
#include <coloop.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    void *module = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    void *symbol = module ? dlsym(module, "plugin_instance") : NULL;
    uint64_t (*instance)(const char *);
    if (!symbol) {
        return 1;
    }
    memcpy(&instance, &symbol, sizeof symbol);
    puts(instance(NULL) == coloop_instance_id() ? "one instance" : "two instances");
    return 0;
}
