/* loop_create_server and transports. */
static loop_t *coloop_server_loop;

static void coloop_received(loop_transport_t *transport, const void *data, size_t length,
                            void *user_data)
{
    (void)user_data;
    b_check(loop_transport_write(transport, data, length));
    if (stream_received(length))
        b_check(loop_stop(coloop_server_loop));
}

static int coloop_factory(loop_t *loop, void *factory_data, const loop_protocol_t **ret_protocol,
                          void **ret_user_data, loop_destroy_t *ret_destroy)
{
    static const loop_protocol_t protocol = {.size = sizeof protocol,
                                             .data_received = coloop_received};
    (void)loop, (void)factory_data;
    *ret_protocol = &protocol;
    *ret_user_data = NULL;
    *ret_destroy = NULL;
    return 0;
}

static void b_stream_serve(int listener, size_t connections)
{
    loop_server_options_t options = {.size = sizeof options, .backlog = 1024, .fds = &listener,
                                     .fd_count = 1};
    loop_future_t *server;
    (void)connections;
    coloop_server_loop = b_loop_new(B_DEFAULT);
    b_check(loop_create_server(coloop_server_loop, &options, coloop_factory, NULL, NULL, &server));
    b_check(loop_run_forever(coloop_server_loop));
    loop_future_unref(server);
}
