/* Signals as callbacks of a loop. */
#include "child.h"
#include "loop_thread.h"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct sighandling {
    struct sigaction action;
};

static struct sighandling handling_of(int signum) {
    struct sighandling out;
    CHECK_INT(sigaction(signum, NULL, &out.action), 0);
    return out;
}

static int is_default(int signum) {
    return handling_of(signum).action.sa_handler == SIG_DFL;
}

static volatile sig_atomic_t hosts_calls;

static void hosts_handler(int signum) {
    (void)signum;
    hosts_calls = hosts_calls + 1;
}

static void host_handles(int signum, void (*handler)(int)) {
    struct sigaction action = {0};
    action.sa_handler = handler;
    CHECK_INT(sigaction(signum, &action, NULL), 0);
}

struct on_signal {
    loop_t *loop;
    int calls, destroyed;
};

static void on_signal(void *user_data) {
    struct on_signal *self = user_data;
    self->calls++;
    CHECK_INT(loop_stop(self->loop), 0);
}

static void end_of_signal(void *user_data) {
    ((struct on_signal *)user_data)->destroyed++;
}

static void add(struct on_signal *self, int signum) {
    CHECK_INT(loop_add_signal_handler(self->loop, signum, on_signal, self, end_of_signal), 0);
}

TEST(a_signal_calls_its_handler_in_the_loop_as_an_ordinary_callback) {
    struct on_signal self = {.loop = loop_new()};
    int before = open_fds();
    add(&self, SIGUSR1);
    CHECK_INT(raise(SIGUSR1), 0);
    CHECK_INT(self.calls, 0);
    CHECK_INT(loop_run_forever(self.loop), 0);
    CHECK_INT(self.calls, 1);
    /* It stays, and wakes a loop that sleeps. */
    CHECK_INT(loop_call_later(self.loop, 20000 * MS, never, NULL, NULL, NULL), 0);
    pid_t killer = start_child();
    if (killer == 0) {
        sleep_ns(30 * MS);
        kill(getppid(), SIGUSR1);
        leave_child(0);
    }
    CHECK_INT(loop_run_forever(self.loop), 0);
    CHECK_INT(self.calls, 2);
    CHECK_INT(end_of(killer), 0);
    CHECK_INT(loop_remove_signal_handler(self.loop, SIGUSR1), 1);
    CHECK_INT(self.destroyed, 1);
    CHECK_INT(loop_remove_signal_handler(self.loop, SIGUSR1), 0);
    CHECK_INT(loop_close(self.loop), 0);
    loop_unref(self.loop);
    CHECK_INT(open_fds(), before);
}

TEST(signals_that_come_before_the_loop_looks_are_one_call) {
    struct on_signal first = {.loop = loop_new()}, second = {.loop = first.loop};
    add(&first, SIGUSR1);
    add(&second, SIGUSR2);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(raise(SIGUSR1), 0);
        CHECK_INT(raise(SIGUSR2), 0);
    }
    CHECK_INT(loop_run_forever(first.loop), 0);
    CHECK_INT(loop_run_once(first.loop, 0), 0);
    CHECK_INT(first.calls, 1);
    CHECK_INT(second.calls, 1);
    loop_unref(first.loop);
    CHECK_INT(first.destroyed, 1);
    CHECK_INT(second.destroyed, 1);
}

TEST(adding_a_signal_handler_again_replaces_the_old_one) {
    struct on_signal old = {.loop = loop_new()}, new = {.loop = old.loop};
    add(&old, SIGUSR1);
    CHECK_INT(raise(SIGUSR1), 0);
    add(&new, SIGUSR1);
    CHECK_INT(old.destroyed, 1);
    CHECK_INT(loop_run_forever(old.loop), 0);
    CHECK_INT(old.calls, 0);
    CHECK_INT(new.calls, 1);
    loop_unref(old.loop);
    CHECK_INT(old.destroyed, 1);
    CHECK_INT(new.destroyed, 1);
}

TEST(the_disposition_comes_back_when_the_last_handler_goes) {
    struct on_signal first = {.loop = loop_new()}, second = {.loop = loop_new()};
    CHECK(is_default(SIGUSR1));
    add(&first, SIGUSR1);
    CHECK(!is_default(SIGUSR1));
    CHECK((handling_of(SIGUSR1).action.sa_flags & (SA_RESTART | SA_ONSTACK)) ==
          (SA_RESTART | SA_ONSTACK));
    add(&second, SIGUSR1);
    CHECK_INT(loop_remove_signal_handler(first.loop, SIGUSR1), 1);
    CHECK(!is_default(SIGUSR1));
    CHECK_INT(raise(SIGUSR1), 0);
    CHECK_INT(loop_run_forever(second.loop), 0);
    CHECK_INT(first.calls, 0);
    CHECK_INT(second.calls, 1);
    CHECK_INT(loop_close(second.loop), 0);
    CHECK(is_default(SIGUSR1));
    /* A handler of the host. */
    host_handles(SIGUSR2, hosts_handler);
    add(&first, SIGUSR2);
    CHECK_INT(raise(SIGUSR2), 0);
    CHECK_INT(hosts_calls, 0);
    CHECK_INT(loop_close(first.loop), 0);
    CHECK_INT(raise(SIGUSR2), 0);
    CHECK_INT(hosts_calls, 1);
    CHECK_INT(first.calls, 0);
    loop_unref(first.loop);
    loop_unref(second.loop);
    CHECK_INT(first.destroyed, 2);
    CHECK_INT(second.destroyed, 1);
}

TEST(what_the_host_installed_later_is_left_alone) {
    struct on_signal self = {.loop = loop_new()};
    add(&self, SIGUSR1);
    host_handles(SIGUSR1, hosts_handler);
    CHECK_INT(loop_remove_signal_handler(self.loop, SIGUSR1), 1);
    CHECK(handling_of(SIGUSR1).action.sa_handler == hosts_handler);
    /* Adding takes it over, removing gives it back. */
    add(&self, SIGUSR1);
    CHECK(handling_of(SIGUSR1).action.sa_handler != hosts_handler);
    loop_unref(self.loop);
    CHECK(handling_of(SIGUSR1).action.sa_handler == hosts_handler);
}

TEST(signals_that_are_none_or_cannot_be_caught_are_refused) {
    struct on_signal self = {.loop = loop_new()};
    int before = open_fds(), refused = 0;
    static const int none[] = {0, -1, 65, 999, 32, 33};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        char text[64];
        snprintf(text, sizeof text, "invalid signal number %d", none[i]);
        CHECK_INT(loop_add_signal_handler(self.loop, none[i], never, &refused, count), LOOP_EINVAL);
        CHECK_STR(loop_last_error(), text);
        CHECK_INT(refused, i + 1);
    }
    refused = 0;
    CHECK_INT(loop_add_signal_handler(self.loop, SIGKILL, never, &refused, count), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "sig 9 cannot be caught");
    CHECK_INT(loop_add_signal_handler(self.loop, SIGSTOP, never, &refused, count), LOOP_EINVAL);
    CHECK_INT(loop_add_signal_handler(self.loop, SIGUSR1, NULL, &refused, count), LOOP_EINVAL);
    CHECK_INT(loop_add_signal_handler(NULL, SIGUSR1, never, &refused, count), LOOP_EINVAL);
    CHECK_INT(loop_remove_signal_handler(NULL, SIGUSR1), LOOP_EINVAL);
    CHECK_INT(loop_remove_signal_handler(self.loop, 999), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "invalid signal number 999");
    CHECK_INT(loop_remove_signal_handler(self.loop, SIGKILL), 0);
    CHECK_INT(refused, 4);
    CHECK_INT(open_fds(), before);
    CHECK(is_default(SIGUSR1));
    CHECK_INT(loop_close(self.loop), 0);
    CHECK_INT(loop_add_signal_handler(self.loop, SIGUSR1, never, &refused, count), LOOP_ECLOSED);
    CHECK_INT(refused, 5);
    CHECK_INT(loop_remove_signal_handler(self.loop, SIGUSR1), 0);
    loop_unref(self.loop);
    CHECK(is_default(SIGUSR1));
}

TEST(another_thread_may_not_touch_a_running_loops_signal_handlers) {
    struct loop_thread other;
    int refused = 0;
    loop_thread_start(&other);
    CHECK_INT(loop_add_signal_handler(other.loop, SIGUSR1, never, &refused, count),
              LOOP_EWRONG_THREAD);
    CHECK_INT(refused, 1);
    CHECK_INT(loop_remove_signal_handler(other.loop, SIGUSR1), LOOP_EWRONG_THREAD);
    CHECK(is_default(SIGUSR1));
    loop_thread_end(&other);
}

enum { THREADS = 4 };

struct subscriber {
    struct loop_thread thread;
    int got, in_its_thread;
    sem_t ready, seen;
};

static void got_it(void *user_data) {
    struct subscriber *self = user_data;
    self->got++;
    self->in_its_thread += pthread_equal(pthread_self(), self->thread.thread) != 0;
    sem_post(&self->seen);
}

static void subscribe(void *user_data) {
    struct subscriber *self = user_data;
    CHECK_INT(loop_add_signal_handler(self->thread.loop, SIGUSR1, got_it, self, NULL), 0);
    sem_post(&self->ready);
}

TEST(every_loop_in_every_thread_gets_the_signal) {
    struct subscriber subscribers[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        struct subscriber *self = &subscribers[i];
        sem_init(&self->ready, 0, 0);
        sem_init(&self->seen, 0, 0);
        loop_thread_start(&self->thread);
        CHECK_INT(loop_call_soon_threadsafe(self->thread.loop, subscribe, self, NULL, NULL), 0);
        take(&self->ready);
    }
    for (int round = 1; round <= (in_valgrind() ? 5 : 100); round++) {
        CHECK_INT(kill(getpid(), SIGUSR1), 0);
        for (int i = 0; i < THREADS; i++) {
            take(&subscribers[i].seen);
            CHECK_INT(subscribers[i].got, round);
            CHECK_INT(subscribers[i].in_its_thread, round);
        }
    }
    CHECK(!is_default(SIGUSR1));
    for (int i = 0; i < THREADS; i++)
        loop_thread_end(&subscribers[i].thread);
    CHECK(is_default(SIGUSR1));
}

static void *shoot(void *stop) {
    while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED)) {
        kill(getpid(), SIGUSR1);
        if (in_valgrind()) /* whose stacks of signals are small */
            sleep_ns(10 * MS);
    }
    return NULL;
}

TEST(loops_come_and_go_in_a_storm_of_signals) {
    int stop = 0, before = open_fds();
    pthread_t shooter;
    /* Somebody always wants it, or it would end the process. */
    struct on_signal keeper = {.loop = loop_new()};
    add(&keeper, SIGUSR1);
    CHECK_INT(pthread_create(&shooter, NULL, shoot, &stop), 0);
    for (int round = 0; round < (in_valgrind() ? 5 : 300); round++) {
        struct on_signal self = {.loop = loop_new()};
        add(&self, SIGUSR1);
        if (round % 3 != 0)
            CHECK_INT(loop_run_forever(self.loop), 0);
        if (round % 2 == 0)
            CHECK_INT(loop_remove_signal_handler(self.loop, SIGUSR1), 1);
        CHECK_INT(loop_close(self.loop), 0);
        CHECK_INT(self.calls, round % 3 != 0);
        CHECK_INT(self.destroyed, 1);
        loop_unref(self.loop);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    CHECK_INT(pthread_join(shooter, NULL), 0);
    CHECK_INT(loop_run_forever(keeper.loop), 0);
    CHECK_INT(keeper.calls, 1);
    loop_unref(keeper.loop);
    CHECK_INT(open_fds(), before);
}

static void remove_and_close_later(void *user_data) {
    struct on_signal *self = user_data;
    self->calls++;
    CHECK_INT(loop_remove_signal_handler(self->loop, SIGUSR1), 1);
    CHECK_INT(self->destroyed, 0); /* it runs */
    CHECK_INT(loop_remove_signal_handler(self->loop, SIGUSR2), 1);
    CHECK_INT(loop_close(self->loop), LOOP_ERUNNING);
    CHECK_INT(loop_stop(self->loop), 0);
}

TEST(a_handler_may_remove_itself_and_others) {
    struct on_signal self = {.loop = loop_new()}, other = {.loop = self.loop};
    CHECK_INT(loop_add_signal_handler(self.loop, SIGUSR1, remove_and_close_later, &self,
                                      end_of_signal), 0);
    add(&other, SIGUSR2);
    CHECK_INT(raise(SIGUSR1), 0);
    CHECK_INT(raise(SIGUSR2), 0);
    CHECK_INT(loop_run_forever(self.loop), 0);
    CHECK_INT(self.calls, 1);
    CHECK_INT(self.destroyed, 1);
    CHECK_INT(other.calls, 0); /* it was scheduled, and removed before it ran */
    CHECK_INT(other.destroyed, 1);
    CHECK(is_default(SIGUSR1) && is_default(SIGUSR2));
    loop_unref(self.loop);
}

static void close_loop(void *user_data) {
    struct on_signal *self = user_data;
    self->destroyed++;
    CHECK_INT(loop_close(self->loop), 0);
}

TEST(a_signal_handlers_destructor_may_close_the_loop) {
    struct on_signal self = {.loop = loop_new()};
    CHECK_INT(loop_add_signal_handler(self.loop, SIGUSR1, on_signal, &self, close_loop), 0);
    CHECK_INT(loop_remove_signal_handler(self.loop, SIGUSR1), 1);
    CHECK_INT(self.destroyed, 1);
    CHECK_INT(loop_is_closed(self.loop), 1);
    loop_unref(self.loop);
}
