/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spawn-test.c: tests of src/driver/spawn.c, and of stasis-launch with it
 */

#include "config.h"

#include "driver/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "util/fd.h"

#define WAIT_MS 20000

typedef struct
{
  char *folder;
  char *log;
  char *file; /* that a program is to make */
  char *helper;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->folder = scratch_new ();
  f->log = g_build_filename (f->folder, "log", "qemu", "web.log", NULL);
  f->file = g_build_filename (f->folder, "file", NULL);
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *own = g_path_get_dirname (self);
  f->helper = g_build_filename (own, "spawn-helper", NULL);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_free (f->log);
  g_free (f->file);
  g_free (f->helper);
  scratch_remove (f->folder);
}

/* Not by a pidfd, which valgrind does not know. */
static void
wait_for_end (const StasisProcess *process)
{
  for (int waited = 0; stasis_process_is_alive (process) && waited < WAIT_MS; waited += 5)
    g_usleep (5000);
  g_assert_false (stasis_process_is_alive (process));
}

static void
begin (StasisSpawn *spawn, StasisProcess *out_process)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_spawn_begin (spawn, out_process, &error));
  g_assert_no_error (error);
}

/* Let it run to its end; (transfer full) the log. */
static char *
run (Fixture *f, StasisSpawn *spawn)
{
  StasisProcess process;
  begin (spawn, &process);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_spawn_go (spawn, &error));
  g_assert_no_error (error);
  wait_for_end (&process);
  char *text = NULL;
  g_file_get_contents (f->log, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

static StasisSpawn *
new_touch (Fixture *f)
{
  StasisSpawn *spawn = stasis_spawn_new (f->log);
  stasis_spawn_add_arg (spawn, "/usr/bin/touch");
  stasis_spawn_add_arg (spawn, f->file);
  return spawn;
}

static StasisSpawn *
new_tell (Fixture *f)
{
  StasisSpawn *spawn = stasis_spawn_new (f->log);
  stasis_spawn_add_arg (spawn, f->helper);
  stasis_spawn_add_arg (spawn, "tell");
  return spawn;
}

/* Same pid and start time before and after, and nothing done in between. */
static void
test_only_after_go (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisSpawn) spawn = stasis_spawn_new (f->log);
  stasis_spawn_add_arg (spawn, "/bin/sh");
  stasis_spawn_add_arg (spawn, "-c");
  stasis_spawn_add_arg (spawn, "echo $$; touch \"$1\"; exec sleep 1000");
  stasis_spawn_add_arg (spawn, "sh");
  stasis_spawn_add_arg (spawn, f->file);
  StasisProcess process;
  begin (spawn, &process);
  g_usleep (200000);
  g_assert_true (stasis_process_is_alive (&process));
  g_assert_false (g_file_test (f->file, G_FILE_TEST_EXISTS));

  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_spawn_go (spawn, &error));
  g_assert_no_error (error);
  for (int i = 0; i < 1000 && !g_file_test (f->file, G_FILE_TEST_EXISTS); i++)
    g_usleep (10000);
  g_assert_true (g_file_test (f->file, G_FILE_TEST_EXISTS));
  g_assert_true (stasis_process_is_alive (&process));
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (f->log, &text, NULL, NULL));
  g_assert_cmpint ((int) g_ascii_strtoll (text, NULL, 10), ==, process.pid);

  /* It lives on when we let go of it. */
  g_clear_pointer (&spawn, stasis_spawn_free);
  g_usleep (50000);
  g_assert_true (stasis_process_is_alive (&process));
  kill (process.pid, SIGTERM);
  wait_for_end (&process);
}

/* Without go it ends, and has done nothing. */
static void
test_no_go (Fixture *f, gconstpointer data)
{
  StasisSpawn *spawn = new_touch (f);
  StasisProcess process;
  begin (spawn, &process);
  stasis_spawn_free (spawn);
  wait_for_end (&process);
  g_assert_false (g_file_test (f->file, G_FILE_TEST_EXISTS));

  StasisSpawn *never = new_touch (f);
  stasis_spawn_free (never);
  stasis_spawn_free (NULL);
}

static void
test_starter_dies (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) starter = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error,
                                                      f->helper, "begin", f->log, f->file, NULL);
  g_assert_no_error (error);
  char line[32] = "";
  g_input_stream_read (g_subprocess_get_stdout_pipe (starter), line, sizeof line - 1, NULL, &error);
  g_assert_no_error (error);
  StasisProcess process;
  g_assert_true (stasis_process_lookup ((pid_t) g_ascii_strtoll (line, NULL, 10), &process));

  g_subprocess_force_exit (starter);
  g_subprocess_wait (starter, NULL, NULL);
  wait_for_end (&process);
  g_assert_false (g_file_test (f->file, G_FILE_TEST_EXISTS));
}

/* It may die first: an error then, and no signal. */
static void
test_dies_before_go (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisSpawn) spawn = new_touch (f);
  StasisProcess process;
  begin (spawn, &process);
  kill (process.pid, SIGKILL);
  wait_for_end (&process);
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_spawn_go (spawn, &error));
  g_assert_nonnull (error);
}

/* A session of its own, nothing inherited, nothing to gain. */
static void
test_detached (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisSpawn) spawn = new_tell (f);
  stasis_spawn_set_env (spawn, "SPAWN_TEST", "yes it is");
  umask (022);
  signal (SIGINT, SIG_IGN);
  g_autofree char *text = run (f, spawn);
  signal (SIGINT, SIG_DFL);
  g_test_message ("%s", text);
  g_assert_nonnull (strstr (text, "session=1 "));
  g_assert_nonnull (strstr (text, "nnp=1 umask=77 core=0 cwd=/ env=yes it is fds=3 stdin=-1\n"));
  g_assert_nonnull (strstr (text, "to standard error\n"));
}

static StasisSpawn *
new_env (Fixture *f)
{
  StasisSpawn *spawn = stasis_spawn_new (f->log);
  stasis_spawn_add_arg (spawn, f->helper);
  stasis_spawn_add_arg (spawn, "env");
  return spawn;
}

/* Ours, or a small one; never a mixture. */
static void
test_env (Fixture *f, gconstpointer data)
{
  g_setenv ("SPAWN_OURS", "1", TRUE);
  g_autoptr (StasisSpawn) inherits = new_env (f);
  g_autofree char *ours = run (f, inherits);
  g_assert_nonnull (strstr (ours, "[SPAWN_OURS=1]\n"));

  unlink (f->log);
  g_autoptr (StasisSpawn) cleared = new_env (f);
  stasis_spawn_clear_env (cleared);
  stasis_spawn_set_env (cleared, "SPAWN_TEST", "a=b c");
  stasis_spawn_set_env (cleared, "HOME", "/first");
  stasis_spawn_set_env (cleared, "HOME", "/second");
  stasis_spawn_set_env (cleared, "EMPTY", "");
  g_autofree char *text = run (f, cleared);
  g_unsetenv ("SPAWN_OURS");
  g_test_message ("%s", text);
  g_assert_null (strstr (text, "SPAWN_OURS"));
  g_assert_null (strstr (text, "STASIS_"));
  g_assert_null (strstr (text, "/first"));
  g_assert_nonnull (strstr (text, "[PATH=/"));
  g_assert_nonnull (strstr (text, "[LC_ALL=C.UTF-8]\n"));
  g_assert_nonnull (strstr (text, "[HOME=/second]\n"));
  g_assert_nonnull (strstr (text, "[SPAWN_TEST=a=b c]\n"));
  g_assert_nonnull (strstr (text, "[EMPTY=]\n"));
}

/* A variable that has ld.so do things does them in the program, not in the launcher before it,
 * which may be root's still. */
static void
test_env_not_the_launchers (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisSpawn) spawn = new_tell (f);
  stasis_spawn_set_env (spawn, "LD_PRELOAD", "/no/such/library.so");
  StasisProcess process;
  begin (spawn, &process);
  g_autofree char *path = g_strdup_printf ("/proc/%d/environ", (int) process.pid);
  g_autofree char *seen = NULL;
  gsize size = 0;
  g_usleep (200000);
  g_assert_true (g_file_get_contents (path, &seen, &size, NULL));
  g_assert_cmpuint (size, >, 0);
  for (gsize i = 0; i < size; i += strlen (seen + i) + 1) /* NUL ends each; valgrind has its own */
    g_assert_cmpstr (seen + i, !=, "LD_PRELOAD=/no/such/library.so");
  g_autofree char *before = NULL;
  g_assert_true (g_file_get_contents (f->log, &before, NULL, NULL));
  g_assert_cmpstr (before, ==, "");

  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_spawn_go (spawn, &error));
  g_assert_no_error (error);
  wait_for_end (&process);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (f->log, &text, NULL, NULL));
  g_assert_nonnull (strstr (text, "/no/such/library.so"));
}

static void
test_user (Fixture *f, gconstpointer data)
{
  if (getuid () != 0)
    {
      g_test_skip ("only root can become another user");
      return;
    }
  /* The other user must be able to run the helper: where the build lies it may not. */
  stasis_autofd int program = open (f->helper, O_RDONLY);
  const gint64 group = GPOINTER_TO_INT (data);
  g_autoptr (StasisSpawn) spawn = stasis_spawn_new (f->log);
  const int number = stasis_spawn_take_fd (spawn, stasis_fd_steal (&program));
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", number);
  stasis_spawn_add_arg (spawn, path);
  stasis_spawn_add_arg (spawn, "tell");
  stasis_spawn_set_user (spawn, 1900001, 1900002, group);
  g_autofree char *text = run (f, spawn);
  g_test_message ("%s", text);
  g_assert_nonnull (strstr (text, "uid=1900001,1900001,1900001 gid=1900002,1900002,1900002 "));
  g_autofree char *groups
      = group >= 0 ? g_strdup_printf (" groups=1:%d ", (int) group) : g_strdup (" groups=0:-1 ");
  g_assert_nonnull (strstr (text, groups));
}

static guint
count_fds (void)
{
  guint count = 0;
  for (int fd = 0; fd < 256; fd++)
    count += fcntl (fd, F_GETFD) >= 0;
  return count;
}

static int
make_fd (const char *text)
{
  const int fd = memfd_create ("fd", MFD_CLOEXEC);
  g_assert_cmpint (write (fd, text, strlen (text)), ==, strlen (text));
  return fd;
}

/* More than enough that our own numbers and the promised ones overlap. */
static void
test_fds (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisSpawn) spawn = new_tell (f);
  g_autoptr (GString) expected = g_string_new (NULL);
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
  int fds[40];
  for (gsize i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      g_autofree char *text = g_strdup_printf ("file %zu", i);
      fds[i] = make_fd (text);
    }
  /* Backwards, for in order they might be right by chance. */
  for (gsize i = G_N_ELEMENTS (fds); i-- > 0;)
    {
      const int number = stasis_spawn_take_fd (spawn, fds[i]);
      g_autofree char *word = g_strdup_printf ("%d", number);
      g_string_append_printf (expected, "fd %d: file %zu\n", number, i);
      stasis_spawn_add_arg (spawn, word);
    }
  stasis_spawn_add_arg (spawn, "3");
  g_string_append (expected, "fd 3: closed\n");
  g_autofree char *text = run (f, spawn);
  g_test_message ("%s", text);
  g_assert_nonnull (strstr (text, " fds=43 "));
  g_assert_nonnull (strstr (text, expected->str));
}

static void
test_log (Fixture *f, gconstpointer data)
{
  for (int i = 1; i <= 2; i++)
    {
      g_autoptr (StasisSpawn) spawn = stasis_spawn_new (f->log);
      stasis_spawn_add_arg (spawn, "/bin/echo");
      stasis_spawn_add_arg (spawn, i == 1 ? "first" : "second");
      g_autofree char *text = run (f, spawn);
      g_assert_cmpstr (text, ==, i == 1 ? "first\n" : "first\nsecond\n");
    }
  struct stat st;
  g_assert_cmpint (stat (f->log, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0600);
  g_autofree char *folder = g_path_get_dirname (f->log);
  g_assert_cmpint (stat (folder, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0700);

  /* A link may lead to a file that is not ours to write. */
  g_assert_cmpint (unlink (f->log), ==, 0);
  g_assert_cmpint (symlink (f->file, f->log), ==, 0);
  g_autoptr (StasisSpawn) spawn = new_touch (f);
  StasisProcess process;
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_spawn_begin (spawn, &process, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_LINKS);
  g_assert_false (g_file_test (f->file, G_FILE_TEST_EXISTS));
}

/* What goes wrong behind go stands in the log. */
static void
test_no_program (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisSpawn) spawn = stasis_spawn_new (f->log);
  stasis_spawn_add_arg (spawn, "/no/such/program");
  g_autofree char *text = run (f, spawn);
  g_assert_nonnull (strstr (text, "/no/such/program"));
  g_assert_nonnull (strstr (text, g_strerror (ENOENT)));
}

/* An argument is an argument, whatever it looks like. */
static void
test_odd_arguments (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisSpawn) spawn = stasis_spawn_new (f->log);
  stasis_spawn_add_arg (spawn, "/usr/bin/printf");
  stasis_spawn_add_arg (spawn, "<%s>");
  static const char *const words[] = { "", " ", "--uid", "--", "a\nb", "$HOME", "\xff" };
  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    stasis_spawn_add_arg (spawn, words[i]);
  g_autofree char *text = run (f, spawn);
  g_assert_cmpstr (text, ==, "<>< ><--uid><--><a\nb><$HOME><\xff>");
}

static void
test_find_helper (Fixture *f, gconstpointer data)
{
  g_autofree char *before = g_strdup (g_getenv ("STASIS_LIBEXEC_DIR"));
  g_setenv ("STASIS_LIBEXEC_DIR", f->folder, TRUE);
  g_autofree char *named = stasis_spawn_find_helper ("spawn-helper");
  g_autofree char *expected = g_build_filename (f->folder, "spawn-helper", NULL);
  g_assert_cmpstr (named, ==, expected);

  /* It is not there. */
  g_autoptr (StasisSpawn) spawn = new_touch (f);
  StasisProcess process;
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_spawn_begin (spawn, &process, &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, f->folder));
  g_assert_false (g_file_test (f->file, G_FILE_TEST_EXISTS));

  g_unsetenv ("STASIS_LIBEXEC_DIR");
  g_autofree char *beside = stasis_spawn_find_helper ("spawn-helper");
  g_assert_cmpstr (beside, ==, f->helper);
  g_autofree char *installed = stasis_spawn_find_helper ("no-such-helper");
  g_assert_cmpstr (installed, ==, STASIS_LIBEXECDIR "/no-such-helper");
  if (before != NULL)
    g_setenv ("STASIS_LIBEXEC_DIR", before, TRUE);
}

/* Nothing is left open here: not what was handed over, once it is; at the end nothing at all. */
static void
test_no_leak (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisSpawn) first = new_tell (f);
  g_free (run (f, first)); /* GLib's own descriptors come with the first one */
  g_clear_pointer (&first, stasis_spawn_free);

  const guint before = count_fds ();
  g_autoptr (StasisSpawn) unused = new_tell (f);
  stasis_spawn_take_fd (unused, make_fd ("x"));
  g_clear_pointer (&unused, stasis_spawn_free);
  g_assert_cmpuint (count_fds (), <=, before);

  g_autoptr (StasisSpawn) spawn = new_tell (f);
  stasis_spawn_take_fd (spawn, make_fd ("x"));
  StasisProcess process;
  begin (spawn, &process);
  g_assert_cmpuint (count_fds (), <=, before + 2); /* go; a pidfd of GLib's, if it uses one */
  g_clear_pointer (&spawn, stasis_spawn_free);
  wait_for_end (&process);
  for (int i = 0; i < 100 && count_fds () > before; i++)
    g_usleep (10000);
  /* Fewer where GLib's worker let go of the first one's only after we had counted. */
  g_assert_cmpuint (count_fds (), <=, before);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *test;
    int data;
    void (*function) (Fixture *, gconstpointer);
  } tests[] = {
    { "only-after-go", 0, test_only_after_go },
    { "no-go", 0, test_no_go },
    { "starter-dies", 0, test_starter_dies },
    { "dies-before-go", 0, test_dies_before_go },
    { "detached", 0, test_detached },
    { "env", 0, test_env },
    { "env-not-the-launchers", 0, test_env_not_the_launchers },
    { "user/no-group", -1, test_user },
    { "user/group", 1900003, test_user },
    { "fds", 0, test_fds },
    { "log", 0, test_log },
    { "no-program", 0, test_no_program },
    { "odd-arguments", 0, test_odd_arguments },
    { "find-helper", 0, test_find_helper },
    { "no-leak", 0, test_no_leak },
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/spawn/", tests[i].test, NULL);
      g_test_add (test, Fixture, GINT_TO_POINTER (tests[i].data), set_up, tests[i].function,
                  tear_down);
    }
  return g_test_run ();
}
