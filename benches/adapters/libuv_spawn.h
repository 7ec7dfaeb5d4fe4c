/* uv_spawn. The handle has to be closed before it can be used again. */
static uv_loop_t uv_spawn_loop;
static uv_process_t uv_child;
static uint64_t uv_spawns_left;

static void uv_spawn_next(uv_handle_t *closed);

static void uv_child_exited(uv_process_t *child, int64_t status, int signal)
{
    if (status != 0 || signal != 0)
        bench_die(SPAWN_PROGRAM);
    uv_close((uv_handle_t *)child, uv_spawn_next);
}

static void uv_spawn_next(uv_handle_t *closed)
{
    static char *arguments[] = {SPAWN_PROGRAM, NULL};
    static uv_stdio_container_t stdio[3] = {
        {.flags = UV_INHERIT_FD, .data.fd = 0},
        {.flags = UV_INHERIT_FD, .data.fd = 1},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
    };
    static uv_process_options_t options = {.exit_cb = uv_child_exited, .file = SPAWN_PROGRAM,
                                           .args = arguments, .stdio = stdio, .stdio_count = 3};
    (void)closed;
    if (uv_spawns_left-- == 0)
        return;
    b_uv(uv_spawn(&uv_spawn_loop, &uv_child, &options));
}

static void b_spawn_setup(void) { b_uv(uv_loop_init(&uv_spawn_loop)); }

static void b_spawn_run(uint64_t count)
{
    uv_spawns_left = count;
    uv_spawn_next(NULL);
    uv_run(&uv_spawn_loop, UV_RUN_DEFAULT);
}
