/* loop_subprocess_exec; nothing is redirected. */
static loop_t *coloop_spawn_loop;
static uint64_t coloop_spawns_left;

static void coloop_child_exited(loop_future_t *exit, void *process);

static void coloop_spawn_next(void *unused)
{
    static const char *const arguments[] = {SPAWN_PROGRAM, NULL};
    static const loop_subprocess_options_t options = {.size = sizeof options, .argv = arguments};
    loop_process_t *process;
    loop_future_t *exit;
    (void)unused;
    if (coloop_spawns_left-- == 0) {
        b_check(loop_stop(coloop_spawn_loop));
        return;
    }
    b_check(loop_subprocess_exec(coloop_spawn_loop, &options, &process));
    b_check(loop_process_wait(process, &exit));
    b_check(loop_future_add_done_callback(exit, coloop_child_exited, process, NULL));
    loop_future_unref(exit);
}

static void coloop_child_exited(loop_future_t *exit, void *process)
{
    int returncode = -1;
    (void)exit;
    if (loop_process_returncode(process, &returncode) < 0 || returncode != 0)
        bench_die(SPAWN_PROGRAM);
    loop_process_unref(process);
    coloop_spawn_next(NULL);
}

static void b_spawn_setup(void) { coloop_spawn_loop = b_loop_new(B_DEFAULT); }

static void b_spawn_run(uint64_t count)
{
    coloop_spawns_left = count;
    b_check(loop_call_soon(coloop_spawn_loop, coloop_spawn_next, NULL, NULL, NULL));
    b_check(loop_run_forever(coloop_spawn_loop));
}
