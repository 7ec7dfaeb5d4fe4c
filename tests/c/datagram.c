/* Datagram endpoints: UDP and UNIX. */
#include "child.h"
#include "net.h"
#include <sys/stat.h>

/* A datagram protocol's books. */
struct mail {
    loop_transport_t *transport;
    int made, received, errors, error, pauses, resumes, lost, lost_code, destroyed;
    int echoes, closes;
    size_t length; /* of the last */
    char data[64];
    struct sockaddr_storage from;
    size_t from_length;
};

static void mail_made(loop_transport_t *transport, void *data) {
    struct mail *mail = data;
    mail->made++;
    mail->transport = transport;
}

static void mail_received(loop_transport_t *transport, const void *bytes, size_t length,
                          const void *address, size_t address_length, void *data) {
    struct mail *mail = data;
    mail->received++;
    mail->length = length;
    memset(mail->data, 0, sizeof mail->data);
    memcpy(mail->data, bytes, length < sizeof mail->data - 1 ? length : sizeof mail->data - 1);
    mail->from_length = address_length;
    if (address != NULL)
        memcpy(&mail->from, address, address_length);
    if (mail->echoes)
        CHECK_INT(loop_transport_sendto(transport, bytes, length, address, address_length), 0);
    if (mail->closes)
        CHECK_INT(loop_transport_close(transport), 0);
}

static void mail_error(loop_transport_t *transport, int code, void *data) {
    struct mail *mail = data;
    (void)transport;
    mail->errors++;
    mail->error = code;
}

static void mail_pause(loop_transport_t *transport, void *data) {
    (void)transport;
    ((struct mail *)data)->pauses++;
}

static void mail_resume(loop_transport_t *transport, void *data) {
    (void)transport;
    ((struct mail *)data)->resumes++;
}

static void mail_lost(loop_transport_t *transport, int code, const char *message, void *data) {
    struct mail *mail = data;
    (void)transport, (void)message;
    mail->lost++;
    mail->lost_code = code;
    mail->transport = NULL;
}

static void mail_destroy(void *data) {
    ((struct mail *)data)->destroyed++;
}

static const loop_datagram_protocol_t mail_protocol = {
    .size = sizeof(loop_datagram_protocol_t),
    .connection_made = mail_made,
    .datagram_received = mail_received,
    .error_received = mail_error,
    .pause_writing = mail_pause,
    .resume_writing = mail_resume,
    .connection_lost = mail_lost,
};

static size_t waiting_size(const struct mail *mail) {
    size_t size = 0;
    CHECK_INT(loop_transport_get_write_buffer_size(mail->transport, &size), 0);
    return size;
}

static int begin(loop_t *loop, const loop_datagram_options_t *options, struct mail *mail,
                 loop_future_t **future) {
    return loop_create_datagram_endpoint(loop, options, &mail_protocol, mail, mail_destroy, future);
}

/* An open endpoint; its own port, if it has one. */
static unsigned short opened(loop_t *loop, const loop_datagram_options_t *options,
                             struct mail *mail) {
    loop_future_t *future;
    void *transport = NULL;
    CHECK_INT(begin(loop, options, mail, &future), 0);
    RUN_UNTIL(loop, loop_future_done(future) == 1);
    CHECK_INT(loop_future_result(future, &transport), 0);
    CHECK_INT(mail->made, 1);
    CHECK(transport == mail->transport);
    loop_future_unref(future);
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    int fd = loop_transport_get_fd(transport);
    CHECK_INT(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    return address.ss_family == AF_UNIX ? 0 : port_of_address(&address);
}

static loop_datagram_options_t local(const char *host) {
    loop_datagram_options_t options = {.size = sizeof options, .local_host = host};
    return options;
}

static loop_datagram_options_t remote(const char *host, unsigned short port) {
    loop_datagram_options_t options = {
        .size = sizeof options, .remote_host = host, .remote_port = port};
    return options;
}

TEST(datagrams_come_back_over_udp_one_by_one) {
    const char *hosts[] = {"127.0.0.1", "::1"};
    for (int i = 0; i < 2; i++) {
        loop_t *loop = loop_new();
        struct mail server = {.echoes = 1}, client = {0};
        loop_datagram_options_t options = local(hosts[i]);
        loop_future_t *future;
        CHECK_INT(begin(loop, &options, &server, &future), 0);
        int code = end_code(loop, future);
        if (i == 1 && code != 0)
            break; /* no IPv6 here */
        CHECK_INT(code, 0);
        struct sockaddr_storage address;
        socklen_t length = sizeof address;
        CHECK_INT(getsockname(loop_transport_get_fd(server.transport),
                              (struct sockaddr *)&address, &length), 0);
        options = remote(hosts[i], port_of_address(&address));
        unsigned short port = opened(loop, &options, &client);
        CHECK_INT(loop_transport_sendto(client.transport, "hello", 5, NULL, 0), 0);
        RUN_UNTIL(loop, client.received == 1);
        CHECK_STR(client.data, "hello");
        CHECK_INT(port_of_address(&server.from), port);
        /* Nothing is also a datagram. */
        CHECK_INT(loop_transport_sendto(client.transport, NULL, 0, NULL, 0), 0);
        RUN_UNTIL(loop, client.received == 2);
        CHECK_INT(client.length, 0);
        CHECK_INT(loop_transport_sendto(client.transport, "x", 1, &address, length), 0);
        CHECK_INT(loop_transport_close(client.transport), 0);
        RUN_UNTIL(loop, client.destroyed == 1);
        CHECK_INT(client.lost, 1);
        CHECK_INT(client.lost_code, 0);
        loop_unref(loop);
        CHECK_INT(server.destroyed, 1);
        CHECK_INT(server.lost, 0);
    }
}

TEST(an_endpoint_sends_where_it_is_told_and_nowhere_else) {
    loop_t *loop = loop_new();
    struct mail free = {0}, bound = {0};
    loop_datagram_options_t options = local("127.0.0.1");
    unsigned short port = opened(loop, &options, &free);
    options = remote("127.0.0.1", port);
    opened(loop, &options, &bound);
    struct sockaddr_in here = loopback(port), elsewhere = loopback((unsigned short)(port ^ 1));
    CHECK_INT(loop_transport_sendto(free.transport, "x", 1, NULL, 0), LOOP_EINVAL);
    CHECK_INT(loop_transport_sendto(bound.transport, "x", 1, &elsewhere, sizeof elsewhere),
              LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "Invalid address: must be None or the remote address");
    CHECK_INT(loop_transport_sendto(free.transport, "x", 1, &here, 3), LOOP_EINVAL);
    CHECK_INT(loop_transport_sendto(free.transport, NULL, 1, &here, sizeof here), LOOP_EINVAL);
    CHECK_INT(loop_transport_sendto(NULL, "x", 1, &here, sizeof here), LOOP_EINVAL);
    CHECK_INT(loop_transport_sendto(free.transport, "self", 4, &here, sizeof here), 0);
    RUN_UNTIL(loop, free.received == 1);
    CHECK_STR(free.data, "self");
    CHECK_INT(loop_transport_write(free.transport, "x", 1), LOOP_ENOTSUP);
    loop_unref(loop);
}

TEST(an_endpoint_knows_its_address_and_that_of_its_peer) {
    loop_t *loop = loop_new();
    struct mail server = {0}, client = {0};
    loop_datagram_options_t options = local("127.0.0.1");
    unsigned short port = opened(loop, &options, &server);
    options = remote("127.0.0.1", port);
    unsigned short from = opened(loop, &options, &client);

    struct sockaddr_storage address = {0};
    size_t length = sizeof address;
    CHECK_INT(loop_transport_get_sockname(server.transport, &address, &length), 0);
    CHECK_INT(length, sizeof(struct sockaddr_in));
    CHECK_INT(port_of_address(&address), port);
    length = sizeof address;
    CHECK_INT(loop_transport_get_sockname(client.transport, &address, &length), 0);
    CHECK_INT(port_of_address(&address), from);
    length = sizeof address;
    CHECK_INT(loop_transport_get_peername(client.transport, &address, &length), 0);
    CHECK_INT(port_of_address(&address), port);
    length = sizeof address;
    CHECK_INT(loop_transport_get_peername(server.transport, &address, &length), -ENOTCONN);
    CHECK_INT(length, sizeof address);

    loop_transport_t *kept = loop_transport_ref(client.transport);
    CHECK_INT(loop_transport_close(client.transport), 0);
    RUN_UNTIL(loop, client.lost == 1);
    CHECK_INT(loop_transport_get_sockname(kept, &address, &length), -EBADF);
    loop_transport_unref(kept);
    loop_unref(loop);
}

TEST(errors_go_to_the_protocol_and_the_endpoint_goes_on) {
    loop_t *loop = loop_new();
    struct mail mail = {0};
    loop_datagram_options_t options = remote("127.0.0.1", 0);
    int socket_fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    CHECK_INT(bind(socket_fd, (struct sockaddr *)&address, length), 0);
    CHECK_INT(getsockname(socket_fd, (struct sockaddr *)&address, &length), 0);
    close(socket_fd);
    options.remote_port = ntohs(address.sin_port);
    opened(loop, &options, &mail);
    CHECK_INT(loop_transport_sendto(mail.transport, "x", 1, NULL, 0), 0);
    RUN_UNTIL(loop, mail.errors == 1);
    CHECK_INT(mail.error, -ECONNREFUSED);
    /* The next one reaches somebody. */
    socket_fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_INT(bind(socket_fd, (struct sockaddr *)&address, length), 0);
    CHECK_INT(loop_transport_sendto(mail.transport, "y", 1, NULL, 0), 0);
    CHECK(readable(socket_fd));
    /* What is too long fails, and only that. */
    static char long_data[70000];
    CHECK_INT(loop_transport_sendto(mail.transport, long_data, sizeof long_data, NULL, 0), 0);
    CHECK_INT(mail.errors, 2);
    CHECK_INT(mail.error, -EMSGSIZE);
    CHECK_INT(loop_transport_is_closing(mail.transport), 0);
    close(socket_fd);
    loop_unref(loop);
    CHECK_INT(mail.destroyed, 1);
}

TEST(an_address_in_use_fails_the_endpoint_unless_both_share_it) {
    loop_t *loop = loop_new();
    struct mail mails[4];
    memset(mails, 0, sizeof mails);
    loop_future_t *future;
    loop_datagram_options_t options = local("127.0.0.1");
    options.local_port = opened(loop, &options, &mails[0]);
    CHECK_INT(begin(loop, &options, &mails[1], &future), 0);
    CHECK_INT(end_code(loop, future), -EADDRINUSE);
    CHECK_INT(mails[1].destroyed, 1);
    options = local("127.0.0.1");
    options.flags = LOOP_DATAGRAM_REUSE_PORT | LOOP_DATAGRAM_ALLOW_BROADCAST;
    options.local_port = opened(loop, &options, &mails[2]);
    CHECK_INT(opened(loop, &options, &mails[3]), options.local_port);
    int value = 0;
    socklen_t length = sizeof value;
    int fd = loop_transport_get_fd(mails[3].transport);
    CHECK_INT(getsockopt(fd, SOL_SOCKET, SO_BROADCAST, &value, &length), 0);
    CHECK(value != 0);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    loop_unref(loop);
}

static void temporary(char path[64]) {
    static char directory[32];
    snprintf(directory, sizeof directory, "/tmp/coloop-XXXXXX");
    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, 64, "%s/a", directory);
}

TEST(unix_datagrams_go_both_ways_and_leave_their_files) {
    char one[64], two[80];
    temporary(one);
    snprintf(two, sizeof two, "%s2", one);
    for (int round = 0; round < 2; round++) { /* the second finds what the first left */
        loop_t *loop = loop_new();
        struct mail server = {.echoes = 1}, client = {0};
        loop_datagram_options_t options = {.size = sizeof options, .local_path = one};
        opened(loop, &options, &server);
        options.local_path = two;
        options.remote_path = one;
        opened(loop, &options, &client);
        CHECK_INT(loop_transport_sendto(client.transport, "hello", 5, NULL, 0), 0);
        RUN_UNTIL(loop, client.received == 1);
        CHECK_STR(client.data, "hello");
        CHECK_STR(((struct sockaddr_un *)&server.from)->sun_path, two);
        loop_unref(loop);
        CHECK_INT(access(one, F_OK), 0);
        CHECK_INT(access(two, F_OK), 0);
        CHECK_INT(client.destroyed + server.destroyed, 2);
    }
    unlink(one), unlink(two);
    *strrchr(one, '/') = '\0';
    CHECK_INT(rmdir(one), 0);
}

TEST(a_sender_without_a_name_has_no_address) {
    loop_t *loop = loop_new();
    char name[64];
    snprintf(name, sizeof name, "@coloop-datagram-%d", (int)getpid());
    struct mail server = {0}, client = {0};
    loop_datagram_options_t options = {.size = sizeof options, .local_path = name};
    opened(loop, &options, &server);
    options.local_path = NULL;
    options.remote_path = name;
    opened(loop, &options, &client);
    CHECK_INT(loop_transport_sendto(client.transport, "?", 1, NULL, 0), 0);
    RUN_UNTIL(loop, server.received == 1);
    CHECK_INT(server.from_length, 0);
    loop_unref(loop);
}

static void number(char text[2000], int n) {
    memset(text, 'x', 2000);
    snprintf(text, 2000, "%d", n);
}

/* An endpoint on one half of a pair of sockets, with the other half. */
static int half(loop_t *loop, struct mail *mail) {
    int pair[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
    loop_datagram_options_t options = {.size = sizeof options, .fd = &pair[0]};
    opened(loop, &options, mail);
    CHECK_INT(loop_transport_get_fd(mail->transport), pair[0]);
    return pair[1];
}

TEST(what_cannot_be_sent_waits_in_order_and_pauses_the_protocol) {
    loop_t *loop = loop_new();
    struct mail mail = {0};
    size_t low, high;
    char text[2000], got[2000];
    int other = half(loop, &mail), sent = 0;
    CHECK_INT(loop_transport_get_write_buffer_limits(mail.transport, &high, &low), 0);
    CHECK_INT(high, 65536);
    CHECK_INT(low, 16384);
    while (mail.pauses == 0) {
        number(text, sent++);
        CHECK_INT(loop_transport_sendto(mail.transport, text, sizeof text, NULL, 0), 0);
        CHECK(sent < 100000);
    }
    /* Each counts eight bytes more than it has. */
    CHECK_INT(waiting_size(&mail), 33 * 2008);
    int code;
    do {
        number(text, sent++);
        code = loop_transport_sendto(mail.transport, text, sizeof text, NULL, 0);
    } while (code == 0);
    sent--;
    CHECK_INT(code, -ENOBUFS);
    CHECK_INT(mail.pauses, 1);
    for (int i = 0; i < sent; i++) {
        number(text, i);
        while (recv(other, got, sizeof got, MSG_DONTWAIT) < 0)
            CHECK(loop_run_once(loop, 5 * MS) >= 0);
        CHECK_STR(got, text);
    }
    RUN_UNTIL(loop, mail.resumes == 1);
    CHECK_INT(waiting_size(&mail), 0);
    CHECK_INT(loop_run_once(loop, 0), 0); /* the writer is gone */
    CHECK_INT(mail.errors, 0);
    close(other);
    loop_unref(loop);
}

TEST(close_sends_what_waits_and_abort_drops_it) {
    for (int aborts = 0; aborts <= 1; aborts++) {
        loop_t *loop = loop_new();
        struct mail mail = {0};
        char text[2000];
        int other = half(loop, &mail), sent = 0, received = 0;
        size_t waiting = 0;
        while (waiting == 0 || sent % 5 != 0) {
            number(text, sent++);
            CHECK_INT(loop_transport_sendto(mail.transport, text, sizeof text, NULL, 0), 0);
            waiting = waiting_size(&mail);
        }
        CHECK_INT(aborts ? loop_transport_abort(mail.transport)
                         : loop_transport_close(mail.transport), 0);
        CHECK_INT(mail.lost, 0);
        CHECK_INT(loop_transport_is_closing(mail.transport), 1);
        CHECK_INT(loop_transport_sendto(mail.transport, text, sizeof text, NULL, 0), 0);
        CHECK_INT(loop_transport_close(mail.transport), 0);
        long long limit = now_ns() + 20000 * MS;
        while (mail.destroyed == 0 && now_ns() < limit) {
            CHECK(loop_run_once(loop, 5 * MS) >= 0);
            while (recv(other, text, sizeof text, MSG_DONTWAIT) >= 0)
                received++;
        }
        while (recv(other, text, sizeof text, MSG_DONTWAIT) >= 0)
            received++;
        CHECK_INT(mail.lost, 1);
        CHECK_INT(mail.destroyed, 1);
        CHECK_INT(received == sent, !aborts);
        CHECK_INT(recv(other, text, sizeof text, MSG_DONTWAIT), -1);
        close(other);
        loop_unref(loop);
    }
}

TEST(an_unconnected_unix_endpoint_waits_for_room_without_spinning) {
    loop_t *loop = loop_new();
    struct mail mail = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                       (size_t)snprintf(address.sun_path + 1, 90, "coloop-room-%d", (int)getpid()));
    int other = socket(AF_UNIX, SOCK_DGRAM, 0), sent = 0, received = 0, turns = 0;
    CHECK_INT(bind(other, (struct sockaddr *)&address, length), 0);
    loop_datagram_options_t options = {.size = sizeof options, .family = AF_UNIX};
    opened(loop, &options, &mail);
    while (waiting_size(&mail) == 0) {
        CHECK_INT(loop_transport_sendto(mail.transport, "x", 1, &address, length), 0);
        sent++;
    }
    for (long long limit = now_ns() + 50 * MS; now_ns() < limit; turns++)
        CHECK(loop_run_once(loop, 5 * MS) >= 0);
    CHECK(turns < 200);
    char byte;
    while (received < sent) {
        if (recv(other, &byte, 1, MSG_DONTWAIT) == 1)
            received++;
        else
            CHECK(loop_run_once(loop, 5 * MS) >= 0);
    }
    close(other);
    loop_unref(loop);
}

TEST(many_datagrams_leave_others_their_turn) {
    loop_t *loop = loop_new();
    struct mail mail = {0};
    int other = half(loop, &mail), count_max = 0;
    for (int i = 0; i < 100 && send(other, "x", 1, MSG_DONTWAIT) == 1; i++)
        count_max++;
    int before = mail.received, most = 0;
    while (mail.received < count_max) {
        CHECK(loop_run_once(loop, 5 * MS) >= 0);
        if (mail.received - before > most)
            most = mail.received - before;
        before = mail.received;
    }
    CHECK(most > 1 && most <= 16);
    close(other);
    loop_unref(loop);
}

TEST(an_endpoint_may_be_closed_while_it_receives) {
    loop_t *loop = loop_new();
    struct mail mail = {.closes = 1};
    int other = half(loop, &mail);
    for (int i = 0; i < 3; i++)
        CHECK_INT(send(other, "x", 1, 0), 1);
    RUN_UNTIL(loop, mail.destroyed == 1);
    CHECK_INT(mail.received, 1);
    CHECK_INT(mail.lost, 1);
    close(other);
    loop_unref(loop);
}

TEST(what_cannot_be_an_endpoint_is_refused_and_its_data_destroyed) {
    loop_t *loop = loop_new();
    int before = open_fds();
    struct mail mail = {0};
    loop_future_t *future = NULL;
    loop_datagram_options_t options = local("127.0.0.1"), wrong = options;
    CHECK_INT(begin(NULL, &options, &mail, &future), LOOP_EINVAL);
    CHECK_INT(begin(loop, NULL, &mail, &future), LOOP_EINVAL);
    CHECK_INT(begin(loop, &options, &mail, NULL), LOOP_EINVAL);
    CHECK_INT(loop_create_datagram_endpoint(loop, &options, NULL, &mail, mail_destroy, &future),
              LOOP_EINVAL);
    wrong.flags = 64;
    CHECK_INT(begin(loop, &wrong, &mail, &future), LOOP_EINVAL);
    wrong = options, wrong.local_path = "/tmp/x";
    CHECK_INT(begin(loop, &wrong, &mail, &future), LOOP_EINVAL);
    wrong = local(NULL);
    CHECK_INT(begin(loop, &wrong, &mail, &future), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "unexpected address family");
    int stream = socket(AF_INET, SOCK_STREAM, 0);
    wrong.fd = &stream;
    CHECK_INT(begin(loop, &wrong, &mail, &future), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "A datagram socket was expected");
    wrong.family = AF_INET;
    CHECK_INT(begin(loop, &wrong, &mail, &future), LOOP_EINVAL);
    close(stream);
    wrong.family = 0;
    CHECK_INT(begin(loop, &wrong, &mail, &future), -EBADF);
    CHECK_INT(mail.destroyed, 10);
    wrong = options, wrong.remote_host = "::1", wrong.remote_port = 1;
    CHECK_INT(begin(loop, &wrong, &mail, &future), 0);
    CHECK_INT(end_code(loop, future), -EADDRNOTAVAIL);
    CHECK_STR(loop_last_error(), "can not get address information");
    CHECK_INT(mail.destroyed, 11);
    loop_unref(loop);
    CHECK(open_fds() <= before);
}

TEST(cancelling_an_endpoint_before_its_result_closes_it) {
    loop_t *loop = loop_new();
    int before = open_fds();
    struct mail mail = {0};
    loop_future_t *future;
    loop_datagram_options_t options = local("127.0.0.1");
    wait_once(loop);
    int with_loop = open_fds();
    CHECK_INT(begin(loop, &options, &mail, &future), 0);
    CHECK_INT(loop_future_cancel(future, NULL), 1);
    CHECK_INT(end_code(loop, future), LOOP_ECANCELLED);
    RUN_UNTIL(loop, mail.destroyed == 1);
    CHECK_INT(mail.made, mail.lost);
    CHECK_INT(open_fds(), with_loop);
    loop_unref(loop);
    CHECK(open_fds() <= before);
}

struct inherited {
    loop_t *loop;
    struct mail *mail;
};

static void use_inherited(void *data) {
    struct inherited *inherited = data;
    loop_transport_t *transport = inherited->mail->transport;
    CHECK_INT(loop_transport_sendto(transport, "x", 1, NULL, 0), LOOP_EFORKED);
    CHECK_INT(loop_transport_close(transport), LOOP_EFORKED);
    CHECK_INT(loop_close(inherited->loop), 0);
    CHECK_INT(inherited->mail->destroyed, 1);
    CHECK_INT(inherited->mail->lost, 0);
    loop_unref(inherited->loop);
}

TEST(a_child_that_closes_its_copy_leaves_the_parents_endpoint_alone) {
    loop_t *loop = loop_new();
    struct mail mail = {0};
    int other = half(loop, &mail);
    struct inherited inherited = {loop, &mail};
    CHECK_INT(in_child(use_inherited, &inherited), 0);
    CHECK_INT(send(other, "x", 1, 0), 1);
    RUN_UNTIL(loop, mail.received == 1);
    CHECK_INT(loop_transport_sendto(mail.transport, "y", 1, NULL, 0), 0);
    CHECK(readable(other));
    loop_transport_t *transport = loop_transport_ref(mail.transport);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(mail.destroyed, 1);
    CHECK_INT(mail.lost, 0);
    CHECK_INT(loop_transport_sendto(transport, "x", 1, NULL, 0), LOOP_ECLOSED);
    loop_transport_unref(transport);
    loop_unref(loop);
    close(other);
}
