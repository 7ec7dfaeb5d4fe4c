/* loop_sock_recvfrom, _recvfrom_into, _sendto on datagrams; loop_sock_sendfile. */
#include "sockets.h"

static int udp_socket(struct sockaddr_in *address) {
    socklen_t length = sizeof *address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0);
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
    CHECK_INT(getsockname(fd, (struct sockaddr *)address, &length), 0);
    return fd;
}

TEST(datagrams_arrive_whole_with_their_senders_address) {
    loop_t *loop = loop_new();
    loop_future_t *receiving, *sending;
    struct sockaddr_in one, two;
    int first = udp_socket(&one), second = udp_socket(&two), destroyed = 0;
    CHECK_INT(loop_sock_recvfrom(loop, second, 100, &receiving), 0);
    CHECK_INT(loop_future_done(receiving), 0);
    CHECK_INT(loop_sock_sendto(loop, first, "datagram", 8, &destroyed, count, &two, sizeof two,
                               &sending), 0);
    CHECK_INT(number_of(loop, sending), 8);
    CHECK_INT(destroyed, 1);
    loop_received_t *received = result_of(loop, receiving);
    CHECK_INT(received->length, 8);
    CHECK_INT(memcmp(received->data, "datagram", 8), 0);
    CHECK_INT(received->address_length, sizeof one);
    CHECK_INT(memcmp(received->address, &one, sizeof one), 0);
    loop_future_unref(receiving);

    /* An empty one is no end; a long one is cut off. */
    CHECK_INT(loop_sock_sendto(loop, first, NULL, 0, NULL, NULL, &two, sizeof two, &sending), 0);
    CHECK_INT(number_of(loop, sending), 0);
    CHECK_INT(loop_sock_sendto(loop, first, "longer", 6, NULL, NULL, &two, sizeof two, &sending), 0);
    CHECK_INT(number_of(loop, sending), 6);
    char buffer[4];
    CHECK_INT(loop_sock_recvfrom_into(loop, second, buffer, sizeof buffer, &receiving), 0);
    received = result_of(loop, receiving);
    CHECK_INT(received->length, 0);
    CHECK_INT(received->address_length, sizeof one);
    loop_future_unref(receiving);
    CHECK_INT(loop_sock_recvfrom_into(loop, second, buffer, sizeof buffer, &receiving), 0);
    received = result_of(loop, receiving);
    CHECK_INT(received->length, 4);
    CHECK(received->data == buffer && memcmp(buffer, "long", 4) == 0);
    loop_future_unref(receiving);
    close(first);
    close(second);
    loop_unref(loop);
}

TEST(sock_sendto_waits_for_room) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    struct sockaddr_un address = {AF_UNIX, ""};
    socklen_t length = sizeof(sa_family_t);
    int receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK_INT(bind(receiver, (struct sockaddr *)&address, length), 0);
    length = sizeof address;
    CHECK_INT(getsockname(receiver, (struct sockaddr *)&address, &length), 0);
    CHECK_INT(connect(sender, (struct sockaddr *)&address, length), 0);
    char block[1000] = {0};
    while (send(sender, block, sizeof block, 0) > 0) {
    }
    CHECK_INT(errno, EAGAIN);
    int destroyed = 0;
    CHECK_INT(loop_sock_sendto(loop, sender, block, 10, &destroyed, count, &address, length,
                               &future), 0);
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(destroyed, 0);
    while (recv(receiver, block, sizeof block, 0) > 0) {
    }
    CHECK_INT(number_of(loop, future), 10);
    CHECK_INT(destroyed, 1);
    close(sender);
    close(receiver);
    loop_unref(loop);
}

TEST(sock_sendto_refuses_impossible_addresses) {
    loop_t *loop = loop_new();
    loop_future_t *future = NULL;
    struct sockaddr_in one;
    char many[200] = {0};
    int fd = udp_socket(&one), destroyed = 0;
    CHECK_INT(loop_sock_sendto(loop, fd, "x", 1, &destroyed, count, NULL, 16, &future), LOOP_EINVAL);
    CHECK_INT(loop_sock_sendto(loop, fd, "x", 1, &destroyed, count, &one, 1, &future), LOOP_EINVAL);
    CHECK_INT(loop_sock_sendto(loop, fd, "x", 1, &destroyed, count, many, 200, &future), LOOP_EINVAL);
    CHECK_INT(loop_sock_connect(loop, fd, NULL, 16, &future), LOOP_EINVAL);
    CHECK_INT(loop_sock_connect(loop, fd, &one, 0, &future), LOOP_EINVAL);
    CHECK(destroyed == 3 && future == NULL);
    close(fd);
    loop_unref(loop);
}

enum { FILE_SIZE = 5 << 20 };

static int big_file(void) {
    char name[] = "/tmp/coloop-sendfile-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);
    CHECK(fd >= 0);
    unlink(name);
    char *bytes = malloc(FILE_SIZE);
    for (int i = 0; i < FILE_SIZE; i++)
        bytes[i] = (char)(i * 7 + i / 1000);
    CHECK_INT(pwrite(fd, bytes, FILE_SIZE, 0), FILE_SIZE);
    free(bytes);
    return fd;
}

/* Sends a part of the file and compares what arrives. */
static void send_part(loop_t *loop, int file, long offset, long count, long expected) {
    loop_future_t *sending, *receiving;
    int pair[2];
    tcp_pair(pair);
    CHECK_INT(loop_sock_sendfile(loop, pair[0], file, offset, count, &sending), 0);
    long got = 0;
    while (got < expected) {
        char original[1 << 16];
        CHECK_INT(loop_sock_recv(loop, pair[1], sizeof original, &receiving), 0);
        loop_received_t *received = result_of(loop, receiving);
        CHECK(received->length > 0);
        CHECK_INT(pread(file, original, received->length, offset + got), received->length);
        CHECK_INT(memcmp(received->data, original, received->length), 0);
        got += (long)received->length;
        loop_future_unref(receiving);
    }
    CHECK_INT(got, expected);
    CHECK_INT(number_of(loop, sending), expected);
    close(pair[0]);
    close(pair[1]);
}

TEST(sock_sendfile_sends_a_part_of_a_file) {
    loop_t *loop = loop_new();
    int file = big_file();
    CHECK_INT(lseek(file, 11, SEEK_SET), 11);
    if (!in_valgrind())
        send_part(loop, file, 0, -1, FILE_SIZE);
    send_part(loop, file, 1000003, 2000001, 2000001);
    send_part(loop, file, FILE_SIZE - 10, 1000, 10);
    send_part(loop, file, 5, 0, 0);
    send_part(loop, file, FILE_SIZE + 10, -1, 0);
    CHECK_INT(lseek(file, 0, SEEK_CUR), 11);
    close(file);
    loop_unref(loop);
}

TEST(sock_sendfile_reads_and_sends_where_the_kernel_cannot_do_it) {
    /* The kernel has no sendfile from here; reading works. */
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC), pair[2];
    char original[512], copy[512];
    loop_t *loop = loop_new();
    loop_future_t *future;
    tcp_pair(pair);
    CHECK_INT(pread(file, original, 300, 100), 300);
    CHECK_INT(loop_sock_sendfile(loop, pair[0], file, 100, 300, &future), 0);
    CHECK_INT(number_of(loop, future), 300);
    CHECK_INT(loop_sock_recv_into(loop, pair[1], copy, sizeof copy, &future), 0);
    CHECK_INT(number_of(loop, future), 300);
    CHECK_INT(memcmp(original, copy, 300), 0);
    close(file);
    close(pair[0]);
    close(pair[1]);
    loop_unref(loop);
}

TEST(sock_sendfile_refuses_what_it_cannot_send) {
    loop_t *loop = loop_new();
    loop_future_t *future = NULL;
    struct sockaddr_in address;
    int pair[2], datagrams = udp_socket(&address), file = big_file(), pipe[2];
    tcp_pair(pair);
    CHECK_INT(loop_sock_sendfile(loop, datagrams, file, 0, -1, &future), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "only SOCK_STREAM type sockets are supported");
    CHECK_INT(loop_sock_sendfile(loop, pair[0], file, -1, -1, &future), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "offset must be a non-negative integer");
    CHECK_INT(loop_sock_sendfile(loop, pair[0], file, 0, -2, &future), LOOP_EINVAL);
    CHECK_INT(loop_sock_sendfile(loop, pair[0], -1, 0, -1, &future), LOOP_EINVAL);
    CHECK_INT(loop_sock_sendfile(loop, file, file, 0, -1, &future), -ENOTSOCK);
    CHECK(future == NULL);
    open_pipe(pipe);
    CHECK_INT(loop_sock_sendfile(loop, pair[0], pipe[0], 0, -1, &future), 0);
    CHECK_INT(failure_of(loop, future), -ESPIPE);
    CHECK_INT(loop_sock_sendfile(loop, pair[0], pipe[1], 0, -1, &future), 0);
    CHECK_INT(failure_of(loop, future), ON_WINDOWS ? -ESPIPE : -EBADF);
    /* Nobody to read: a failure, not a signal. */
    close(pair[1]);
    CHECK_INT(loop_sock_sendfile(loop, pair[0], file, 0, -1, &future), 0);
    settle(loop, future);
    int code = loop_future_result(future, NULL);
    CHECK(code == -EPIPE || code == -ECONNRESET);
    loop_future_unref(future);
    CHECK_INT(loop_sock_sendfile(loop, pair[0], file, 0, -1, &future), 0);
    code = failure_of(loop, future);
    CHECK(code == -EPIPE || (ON_WINDOWS && code == -ECONNRESET));
    close(pair[0]);
    close(datagrams);
    close(file);
    loop_unref(loop);
}
