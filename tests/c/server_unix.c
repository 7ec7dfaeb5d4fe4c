/* Servers and connections on UNIX sockets, and the files they leave or not. */
#include "child.h"
#include "net.h"
#include <sys/stat.h>

static void temporary(char path[64], const char *name) {
    static char directory[32];
    snprintf(directory, sizeof directory, "/tmp/coloop-XXXXXX");
    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, 64, "%s/%s", directory, name);
}

static void leave_directory(char *path) {
    unlink(path);
    *strrchr(path, '/') = '\0';
    CHECK_INT(rmdir(path), 0);
}

static loop_future_t *begin_unix(loop_t *loop, const char *path, uint32_t flags,
                                 struct shelf *shelf) {
    loop_future_t *future = NULL;
    CHECK_INT(loop_create_unix_server(loop, path, 0, flags, shelf_factory, shelf, shelf_destroy,
                                      &future), 0);
    RUN_UNTIL(loop, loop_future_done(future) == 1);
    return future;
}

static loop_server_t *serve_unix(loop_t *loop, const char *path, uint32_t flags,
                                 struct shelf *shelf) {
    loop_future_t *future = begin_unix(loop, path, flags, shelf);
    void *server = NULL;
    CHECK_INT(loop_future_result(future, &server), 0);
    loop_server_ref(server);
    loop_future_unref(future);
    return server;
}

static loop_transport_t *connect_to(loop_t *loop, const char *path, struct books *books) {
    loop_future_t *future = NULL;
    void *transport = NULL;
    books->loop = loop;
    CHECK_INT(loop_create_unix_connection(loop, path, &books_protocol, books, books_destroy,
                                          &future), 0);
    RUN_UNTIL(loop, loop_future_done(future) == 1);
    CHECK_INT(loop_future_result(future, &transport), 0);
    CHECK_INT(books->made, 1);
    CHECK(transport == books->transport);
    loop_future_unref(future);
    return transport;
}

static void greet(loop_t *loop, const char *path, struct shelf *shelf) {
    struct books client = {0};
    loop_transport_t *transport = connect_to(loop, path, &client);
    int nth = shelf->used;
    (void)nth;
    CHECK_INT(loop_transport_write(transport, "hello", 5), 0);
    RUN_UNTIL(loop, client.length == 5);
    CHECK_STR(client.data, "hello");
    CHECK_INT(loop_transport_close(transport), 0);
    RUN_UNTIL(loop, client.destroyed == 1 && shelf_lost(shelf) == shelf->used);
}

TEST(a_unix_server_removes_its_file_when_it_closes) {
    char path[64];
    temporary(path, "s");
    loop_t *loop = loop_new();
    struct shelf shelf = {.books[0].echoes = 1};
    loop_server_t *server = serve_unix(loop, path, 0, &shelf);
    struct sockaddr_un address;
    CHECK(loop_server_get_address(server, 0, &address, sizeof address) > 0);
    CHECK_STR(address.sun_path, path);
    greet(loop, path, &shelf);
    CHECK_INT(access(path, F_OK), 0);
    CHECK_INT(loop_server_close(server), 0);
    CHECK_INT(access(path, F_OK), -1);
    loop_server_unref(server);

    /* Closing the loop closes the server. */
    struct shelf other = {0};
    loop_server_unref(serve_unix(loop, path, 0, &other));
    CHECK_INT(access(path, F_OK), 0);
    loop_unref(loop);
    CHECK_INT(access(path, F_OK), -1);
    leave_directory(path);
}

TEST(a_unix_server_leaves_its_file_if_told_and_a_file_that_is_not_its_own) {
    char path[64];
    temporary(path, "s");
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    loop_server_t *server = serve_unix(loop, path, LOOP_SERVER_KEEP_FILE, &shelf);
    CHECK_INT(loop_server_close(server), 0);
    CHECK_INT(access(path, F_OK), 0);
    loop_server_unref(server);
    /* A second server takes the place of the first one's file... */
    struct shelf second = {0}, third = {0};
    loop_server_t *replaced = serve_unix(loop, path, 0, &second);
    /* ... and so does a third: the second one's file is not there any more. */
    loop_server_t *last = serve_unix(loop, path, 0, &third);
    CHECK_INT(loop_server_close(replaced), 0);
    CHECK_INT(access(path, F_OK), 0);
    third.books[0].echoes = 1;
    greet(loop, path, &third);
    CHECK_INT(loop_server_close(last), 0);
    CHECK_INT(access(path, F_OK), -1);
    loop_server_unref(replaced);
    loop_server_unref(last);
    loop_unref(loop);
    leave_directory(path);
}

TEST(what_is_no_socket_is_not_removed_for_a_unix_server) {
    char path[64], expected[128];
    temporary(path, "s");
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    close(open(path, O_CREAT | O_WRONLY, 0600));
    loop_future_t *future = begin_unix(loop, path, 0, &shelf);
    CHECK_INT(loop_future_result(future, NULL), -EADDRINUSE);
    snprintf(expected, sizeof expected, "Address '%s' is already in use", path);
    CHECK_STR(loop_last_error(), expected);
    CHECK_INT(shelf.destroyed, 1);
    CHECK_INT(access(path, F_OK), 0);
    loop_future_unref(future);
    char missing[80];
    snprintf(missing, sizeof missing, "%s.d/s", path);
    future = begin_unix(loop, missing, 0, &shelf);
    CHECK_INT(loop_future_result(future, NULL), -ENOENT);
    loop_future_unref(future);
    char deep[200];
    memset(deep, 'x', sizeof deep);
    deep[199] = '\0';
    CHECK_INT(loop_create_unix_server(loop, deep, 0, 0, shelf_factory, &shelf, shelf_destroy,
                                      &future), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "AF_UNIX path too long");
    CHECK_INT(shelf.destroyed, 3);
    loop_unref(loop);
    leave_directory(path);
}

TEST(an_abstract_name_has_no_file) {
    char name[64];
    snprintf(name, sizeof name, "@coloop-test-%d", (int)getpid());
    loop_t *loop = loop_new();
    struct shelf shelf = {.books[0].echoes = 1};
    loop_server_t *server = serve_unix(loop, name, 0, &shelf);
    CHECK_INT(access(name, F_OK), -1);
    greet(loop, name, &shelf);
    CHECK_INT(loop_server_close(server), 0);
    loop_server_unref(server);
    loop_unref(loop);
}

TEST(a_unix_connection_that_is_refused_says_why) {
    char path[64];
    temporary(path, "s");
    loop_t *loop = loop_new();
    struct books books = {0};
    loop_future_t *future;
    CHECK_INT(loop_create_unix_connection(loop, path, &books_protocol, &books, books_destroy,
                                          &future), 0);
    CHECK_INT(end_code(loop, future), -ENOENT);
    CHECK_STR(loop_last_error(), "No such file or directory");
    CHECK_INT(books.destroyed, 1);
    struct shelf shelf = {0};
    loop_server_t *server = serve_unix(loop, path, LOOP_SERVER_KEEP_FILE, &shelf);
    CHECK_INT(loop_server_close(server), 0);
    CHECK_INT(loop_create_unix_connection(loop, path, &books_protocol, &books, books_destroy,
                                          &future), 0);
    CHECK_INT(end_code(loop, future), -ECONNREFUSED);
    CHECK_INT(books.destroyed, 2);
    CHECK_INT(books.made, 0);
    CHECK_INT(loop_create_unix_connection(loop, NULL, &books_protocol, &books, books_destroy,
                                          &future), LOOP_EINVAL);
    CHECK_INT(loop_create_unix_connection(loop, path, NULL, &books, books_destroy, &future),
              LOOP_EINVAL);
    CHECK_INT(books.destroyed, 4);
    loop_server_unref(server);
    loop_unref(loop);
    leave_directory(path);
}

TEST(a_unix_connection_waits_while_the_servers_backlog_is_full) {
    char path[64];
    temporary(path, "s");
    loop_t *loop = loop_new();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), filler[8], fillers = 0;
    CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(listen(fd, 1), 0);
    for (;; fillers++) {
        CHECK(fillers < 8);
        filler[fillers] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(filler[fillers], (struct sockaddr *)&address, sizeof address) != 0)
            break;
    }
    CHECK_INT(errno, EAGAIN);
    struct books books = {0};
    loop_future_t *future;
    CHECK_INT(loop_create_unix_connection(loop, path, &books_protocol, &books, books_destroy,
                                          &future), 0);
    for (int i = 0; i < 5; i++)
        CHECK(loop_run_once(loop, 5 * MS) >= 0);
    CHECK_INT(loop_future_done(future), 0);
    CHECK_INT(books.made, 0);
    int accepted = accept(fd, NULL, NULL);
    CHECK(accepted >= 0);
    CHECK_INT(end_code(loop, future), 0);
    CHECK_INT(books.made, 1);
    for (int i = 0; i <= fillers; i++)
        close(filler[i]);
    close(accepted), close(fd);
    loop_unref(loop);
    CHECK_INT(books.destroyed, 1);
    leave_directory(path);
}

static void close_copy(void *data) {
    struct shelf *shelf = data;
    loop_t *loop = loop_server_get_loop(shelf->server);
    CHECK_INT(loop_close(loop), 0);
    loop_server_unref(shelf->server);
    loop_unref(loop);
    CHECK_INT(shelf->destroyed, 1);
}

TEST(a_child_that_closes_its_copy_leaves_the_parents_file_alone) {
    char path[64];
    temporary(path, "s");
    loop_t *loop = loop_new();
    struct shelf shelf = {.books[0].echoes = 1};
    loop_server_t *server = shelf.server = serve_unix(loop, path, 0, &shelf);
    CHECK_INT(in_child(close_copy, &shelf), 0);
    CHECK_INT(access(path, F_OK), 0);
    greet(loop, path, &shelf);
    CHECK_INT(loop_server_close(server), 0);
    CHECK_INT(access(path, F_OK), -1);
    loop_server_unref(server);
    loop_unref(loop);
    leave_directory(path);
}
