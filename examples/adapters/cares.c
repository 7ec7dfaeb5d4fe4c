/* Names, asked of a name server: cares SERVER:PORT
 *
 * Output:
 * one.test: 192.0.2.1
 * other.test: 192.0.2.7
 * missing.test: Domain name not found
 */
#include <arpa/inet.h>
#include <coloop/adapters/cares.h>
#include <netinet/in.h>
#include <stdio.h>

static void print_addresses(const char *name, const struct ares_addrinfo *found) {
    const struct ares_addrinfo_node *node;
    for (node = found->nodes; node != NULL; node = node->ai_next) {
        const struct sockaddr_in *address = (const struct sockaddr_in *)node->ai_addr;
        char text[INET_ADDRSTRLEN];
        if (inet_ntop(AF_INET, &address->sin_addr, text, sizeof text) != NULL)
            printf("%s: %s\n", name, text);
    }
}

int main(int argc, char **argv) {
    enum { NAMES = 3 };
    static const char *const names[NAMES] = {"one.test", "other.test", "missing.test"};
    struct ares_addrinfo_hints hints = {.ai_family = AF_INET};
    loop_future_t *futures[NAMES] = {NULL};
    coloop_cares_t *cares = NULL;
    loop_t *loop = loop_new();
    int code = loop == NULL ? -1 : coloop_cares_new(loop, NULL, 0, &cares);

    if (code < 0) {
        fprintf(stderr, "no channel: %s\n", loop_last_error());
        return 1;
    }
    /* Without this: the servers of /etc/resolv.conf. */
    if (argc > 1 && ares_set_servers_ports_csv(coloop_cares_channel(cares), argv[1]) != ARES_SUCCESS)
        fprintf(stderr, "not a server: %s\n", argv[1]);

    for (int i = 0; i < NAMES; i++) { /* all at once */
        if (coloop_cares_getaddrinfo(cares, names[i], NULL, &hints, &futures[i]) < 0)
            fprintf(stderr, "cannot ask: %s\n", loop_last_error());
    }
    for (int i = 0; i < NAMES; i++) {
        struct ares_addrinfo *found = NULL;
        if (futures[i] != NULL && loop_run_until_complete(loop, futures[i], (void **)&found) == 0)
            print_addresses(names[i], found);
        else
            printf("%s: %s\n", names[i], loop_last_error());
        loop_future_unref(futures[i]); /* and the addresses with it */
    }
    coloop_cares_free(cares);
    loop_close(loop);
    loop_unref(loop);
    return 0;
}
