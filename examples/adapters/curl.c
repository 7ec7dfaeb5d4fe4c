/* Three transfers at once, and one that is given up: curl URL
 *
 * Output:
 * /size/1000: status 200, 1000 bytes
 * /chunked/20: status 200, 20000 bytes
 * /nowhere: status 404, 8 bytes
 * /hang/example: cancelled
 */
#include <coloop/adapters/curl.h>
#include <stdio.h>

static size_t count_bytes(char *data, size_t size, size_t count, void *total) {
    (void)data;
    *(size_t *)total += size * count;
    return size * count;
}

int main(int argc, char **argv) {
    enum { TRANSFERS = 4 };
    static const char *const paths[TRANSFERS] = {"/size/1000", "/chunked/20", "/nowhere", "/hang/example"};
    CURL *easy[TRANSFERS];
    size_t bytes[TRANSFERS] = {0};
    loop_future_t *futures[TRANSFERS] = {NULL};
    coloop_curl_t *curl = NULL;
    loop_t *loop;
    char url[256];

    curl_global_init(CURL_GLOBAL_DEFAULT);
    loop = loop_new();
    if (loop == NULL || coloop_curl_new(loop, &curl) < 0) {
        fprintf(stderr, "no loop: %s\n", loop_last_error());
        return 1;
    }
    for (int i = 0; i < TRANSFERS; i++) {
        snprintf(url, sizeof url, "%s%s", argc > 1 ? argv[1] : "http://localhost", paths[i]);
        easy[i] = curl_easy_init();
        curl_easy_setopt(easy[i], CURLOPT_URL, url);
        curl_easy_setopt(easy[i], CURLOPT_WRITEFUNCTION, count_bytes);
        curl_easy_setopt(easy[i], CURLOPT_WRITEDATA, &bytes[i]);
        if (coloop_curl_perform(curl, easy[i], &futures[i]) < 0) {
            fprintf(stderr, "cannot begin: %s\n", loop_last_error());
            return 1;
        }
    }
    for (int i = 0; i < TRANSFERS; i++) { /* the others go on while this one is awaited */
        long status = 0;
        int code;
        if (i == TRANSFERS - 1)
            loop_future_cancel(futures[i], NULL);
        code = loop_run_until_complete(loop, futures[i], NULL);
        curl_easy_getinfo(easy[i], CURLINFO_RESPONSE_CODE, &status);
        if (code == 0)
            printf("%s: status %ld, %zu bytes\n", paths[i], status, bytes[i]);
        else if (code == LOOP_ECANCELLED)
            printf("%s: cancelled\n", paths[i]);
        else
            printf("%s: %s\n", paths[i], loop_last_error());
        loop_future_unref(futures[i]);
    }
    coloop_curl_free(curl);
    for (int i = 0; i < TRANSFERS; i++)
        curl_easy_cleanup(easy[i]);
    loop_close(loop);
    loop_unref(loop);
    curl_global_cleanup();
    return 0;
}
