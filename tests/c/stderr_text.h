/* What the library writes to stderr, caught in a file. */
#ifndef STDERR_TEXT_H
#define STDERR_TEXT_H

#include "test.h"
#include <unistd.h>

struct caught {
    int real;
    FILE *file;
    char text[4096];
};

static inline void catch_stderr(struct caught *caught) {
    fflush(stderr);
    caught->file = tmpfile();
    caught->real = dup(2);
    CHECK(caught->file != NULL && caught->real >= 0);
    CHECK_INT(dup2(fileno(caught->file), 2), 2);
}

/* Ends it and yields the text. */
static inline const char *caught_text(struct caught *caught) {
    fflush(stderr);
    CHECK_INT(dup2(caught->real, 2), 2);
    close(caught->real);
    rewind(caught->file);
    size_t length = fread(caught->text, 1, sizeof caught->text - 1, caught->file);
    caught->text[length] = '\0';
    fclose(caught->file);
    return caught->text;
}

/* Addresses as the library writes them; "%p" looks different in some C libraries. */
#define ADDRESS "0x%llx"

static inline unsigned long long address_of_data(const void *data) {
    return (unsigned long long)(uintptr_t)data;
}

/* C has no cast for functions. */
static inline unsigned long long address_of(void (*function)(void *)) {
    void *address;
    memcpy(&address, &function, sizeof address);
    return address_of_data(address);
}

#endif
