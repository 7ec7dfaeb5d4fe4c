/* One command of libpq.h: copied, sent, failed. For programs: libpq.h. */
#ifndef COLOOP_ADAPTERS_LIBPQ_COMMAND_H
#define COLOOP_ADAPTERS_LIBPQ_COMMAND_H

#include "operation.h"
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum coloop_pq_kind_t {
    COLOOP_PQ_CONNECT,
    COLOOP_PQ_QUERY,
    COLOOP_PQ_QUERY_PARAMS,
    COLOOP_PQ_PREPARE,
    COLOOP_PQ_QUERY_PREPARED
} coloop_pq_kind_t;

/* All that its pointers lead to is in the same piece of memory. */
typedef struct coloop_pq_command_t {
    coloop_operation_t operation;
    struct coloop_pq_t *pq;
    struct coloop_pq_command_t *next;
    coloop_pq_kind_t kind;
    const char *name;
    const char *text;
    int count;
    const Oid *types;
    const char *const *values;
    const int *lengths;
    const int *formats;
    int result_format;
} coloop_pq_command_t;

static inline void coloop_pq_set_parameters(coloop_pq_command_t *given, int count, const Oid *types,
                                            const char *const *values, const int *lengths, const int *formats,
                                            int result_format) {
    given->count = count;
    given->types = types;
    given->values = values;
    given->lengths = lengths;
    given->formats = formats;
    given->result_format = result_format;
}

static inline size_t coloop_pq_value_size(const coloop_pq_command_t *given, int i) {
    int binary = given->formats != NULL && given->formats[i] != 0;
    if (!binary)
        return strlen(given->values[i]) + 1;
    return given->lengths != NULL && given->lengths[i] > 0 ? (size_t)given->lengths[i] : 0;
}

static inline void *coloop_pq_copy(char **cursor, const void *from, size_t size) {
    void *copy = *cursor;
    if (from == NULL)
        return NULL;
    if (size != 0)
        memcpy(copy, from, size);
    *cursor += size;
    return copy;
}

/* A copy of `given` with all that it points to; NULL: no memory. */
static inline coloop_pq_command_t *coloop_pq_command_copy(const coloop_pq_command_t *given) {
    size_t count = (size_t)given->count;
    size_t size = sizeof *given + count * (sizeof(char *) + 2 * sizeof(int) + sizeof(Oid));
    coloop_pq_command_t *command;
    const char **values;
    char *cursor;
    int i;
    size += given->name != NULL ? strlen(given->name) + 1 : 0;
    size += given->text != NULL ? strlen(given->text) + 1 : 0;
    for (i = 0; given->values != NULL && i < given->count; i++)
        size += given->values[i] != NULL ? coloop_pq_value_size(given, i) : 0;
    command = (coloop_pq_command_t *)malloc(size);
    if (command == NULL)
        return NULL;
    *command = *given;
    cursor = (char *)(command + 1);
    /* The order keeps each kind aligned. */
    command->values = values = (const char **)coloop_pq_copy(&cursor, given->values, count * sizeof(char *));
    command->lengths = (int *)coloop_pq_copy(&cursor, given->lengths, count * sizeof(int));
    command->formats = (int *)coloop_pq_copy(&cursor, given->formats, count * sizeof(int));
    command->types = (Oid *)coloop_pq_copy(&cursor, given->types, count * sizeof(Oid));
    for (i = 0; given->values != NULL && i < given->count; i++)
        if (given->values[i] != NULL)
            values[i] = (const char *)coloop_pq_copy(&cursor, given->values[i], coloop_pq_value_size(given, i));
    command->name = (const char *)coloop_pq_copy(&cursor, given->name, given->name ? strlen(given->name) + 1 : 0);
    command->text = (const char *)coloop_pq_copy(&cursor, given->text, given->text ? strlen(given->text) + 1 : 0);
    return command;
}

/* 1 if libpq took it; else its error message tells why not. */
static inline int coloop_pq_command_send(const coloop_pq_command_t *command, PGconn *connection) {
    switch (command->kind) {
    case COLOOP_PQ_QUERY:
        return PQsendQuery(connection, command->text);
    case COLOOP_PQ_QUERY_PARAMS:
        return PQsendQueryParams(connection, command->text, command->count, command->types, command->values,
                                 command->lengths, command->formats, command->result_format);
    case COLOOP_PQ_PREPARE:
        return PQsendPrepare(connection, command->name, command->text, command->count, command->types);
    case COLOOP_PQ_QUERY_PREPARED:
        return PQsendQueryPrepared(connection, command->name, command->count, command->values, command->lengths,
                                   command->formats, command->result_format);
    default:
        return 0;
    }
}

static inline void coloop_pq_clear(void *result) { PQclear((PGresult *)result); }

/* Ends the command's future with a failure. libpq's texts end with a newline,
 * which is left out. `result` (may be NULL) becomes the future's. */
static inline void coloop_pq_command_fail(coloop_pq_command_t *command, int code, const char *text, PGresult *result) {
    size_t length = text == NULL ? 0 : strlen(text);
    char *trimmed;
    while (length > 0 && text[length - 1] == '\n')
        length--;
    trimmed = length == 0 ? NULL : (char *)malloc(length + 1);
    if (trimmed != NULL) {
        memcpy(trimmed, text, length);
        trimmed[length] = '\0';
        text = trimmed;
    }
    coloop_operation_fail(&command->operation, code, length == 0 ? "the connection was lost" : text, result,
                          coloop_pq_clear);
    free(trimmed);
}

#ifdef __cplusplus
}
#endif
#endif
