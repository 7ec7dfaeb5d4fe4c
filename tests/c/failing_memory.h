/* Memory that fails at a chosen moment. sweep() runs a scenario again and again;
 * the first time nothing fails, then the first allocation does between its
 * memory_fails() and memory_is_back(), then the second, and so on: once alone,
 * once with all that follow. */
#ifndef FAILING_MEMORY_H
#define FAILING_MEMORY_H

#include "test.h"
#include <errno.h>

/* Only what the calling thread allocates fails, or what any thread does. */
void memory_fails(void);
void memory_fails_everywhere(void);
void memory_is_back(void);
/* Has an allocation failed since the scenario began? */
int memory_failed(void);

/* Also checks that no descriptor stays open. */
void sweep(void (*scenario)(void));

/* For whoever hands out memory (failing_malloc.c): is it refused this time? Then
 * what was given, which is the answer; and what was taken back. */
int memory_denied(size_t size);
void *memory_given(void *place, size_t size);
void memory_taken_back(void *place);

/* What a call may answer while memory fails. */
#define CHECK_NO_MEMORY(expression)                                              \
    do {                                                                         \
        int answer_ = (expression);                                              \
        if (answer_ < 0 && !(memory_failed() && answer_ == -ENOMEM))             \
            CHECK_INT(answer_, memory_failed() ? -ENOMEM : 0);                   \
    } while (0)

#endif
