/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook-test.c: tests of src/driver/hook.c and the files below it, and of stasis-hook with them
 */

#include "config.h"

#include "driver/hook.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>
#include <stasis/error.h>

#include "driver/hook-files.h"
#include "driver/hook-marks.h"
#include "driver/hook-process.h"
#include "scratch.h"
#include "util/fd.h"

typedef struct
{
  char *folder;
  char *hooks;
  char *run;   /* as a domain's run folder */
  char *notes; /* what they write down */
  int input;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  f->folder = scratch_new ();
  f->hooks = g_build_filename (f->folder, "hooks", NULL);
  f->run = g_build_filename (f->folder, "run", NULL);
  f->notes = g_build_filename (f->folder, "notes", NULL);
  g_autofree char *more = g_build_filename (f->hooks, "qemu.d", NULL);
  g_autofree char *marks = g_build_filename (f->run, STASIS_HOOK_MARKS, NULL);
  g_mkdir_with_parents (more, 0700);
  g_mkdir_with_parents (marks, 0700);
  f->input = stasis_hook_input ("<domain/>", &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_fd_clear (&f->input);
  g_free (f->hooks);
  g_free (f->run);
  g_free (f->notes);
  scratch_remove (f->folder);
}

/* A shell script that may write to $notes. */
static void
write_hook (const Fixture *f, const char *name, const char *lines, int mode)
{
  g_autofree char *text = g_strdup_printf ("#!/bin/sh\nnotes=%s\n%s\n", f->notes, lines);
  g_autofree char *path = scratch_text (f->hooks, name, text);
  g_assert_cmpint (chmod (path, (mode_t) mode), ==, 0);
}

static void
assert_notes (const Fixture *f, const char *expected)
{
  g_autofree char *text = NULL;
  if (!g_file_get_contents (f->notes, &text, NULL, NULL))
    text = g_strdup ("");
  g_assert_cmpstr (text, ==, expected);
}

static StasisHookCall
make_call (const Fixture *f, const char *operation, const char *sub)
{
  return (StasisHookCall){ .folder = f->hooks,
                           .timeout_s = 20,
                           .name = "web",
                           .point = { operation, sub, NULL },
                           .run_folder = f->run };
}

static void
test_none (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *nowhere = g_build_filename (f->folder, "no", "such", NULL);
  g_autofree char *file = scratch_text (f->folder, "file", "");
  g_autofree char *below = g_build_filename (file, "hooks", NULL);
  const char *const folders[] = { nowhere, below, f->hooks };
  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      g_autoptr (GPtrArray) files = stasis_hook_files (folders[i], &error);
      g_assert_no_error (error);
      g_assert_cmpuint (files->len, ==, 0);
    }
  g_autoptr (GPtrArray) files = stasis_hook_files (file, &error);
  g_assert_null (files);
  g_assert_nonnull (error);
}

static void
test_order (Fixture *f, gconstpointer data)
{
  static const char *const names[] = { "qemu", "qemu.d/2", "qemu.d/10", "qemu.d/B", "qemu.d/a" };
  static const char *const keys[] = { "qemu", "d.10", "d.2", "d.B", "d.a" };
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    write_hook (f, names[i], "", 0755);
  write_hook (f, "qemu.d/.hidden", "", 0755);
  write_hook (f, "qemu.d/plain", "", 0644);
  g_autofree char *sub = g_build_filename (f->hooks, "qemu.d", "web", NULL);
  g_assert_cmpint (g_mkdir (sub, 0755), ==, 0);

  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) files = stasis_hook_files (f->hooks, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (files->len, ==, G_N_ELEMENTS (keys));
  for (guint i = 0; i < files->len; i++)
    g_assert_cmpstr (((StasisHookFile *) g_ptr_array_index (files, i))->key, ==, keys[i]);
}

static void
assert_unsafe (const Fixture *f, const char *path, int mode)
{
  struct stat st;
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (chmod (path, (mode_t) mode), ==, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) files = stasis_hook_files (f->hooks, &error);
  g_assert_null (files);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_cmpint (chmod (path, st.st_mode & 07777), ==, 0);
}

static void
test_unsafe (Fixture *f, gconstpointer data)
{
  write_hook (f, "qemu", "", 0755);
  write_hook (f, "qemu.d/more", "", 0755);
  g_autofree char *file = g_build_filename (f->hooks, "qemu", NULL);
  g_autofree char *more = g_build_filename (f->hooks, "qemu.d", NULL);
  const char *const paths[] = { file, more, f->hooks };
  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      assert_unsafe (f, paths[i], 0775);
      assert_unsafe (f, paths[i], 0757);
    }
  /* A sticky one keeps what is in it. */
  assert_unsafe (f, f->folder, 0777);
  g_assert_cmpint (chmod (f->folder, 01777), ==, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) files = stasis_hook_files (f->hooks, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (files->len, ==, 2);
}

/* Where nobody could call anything everybody may write. */
static void
test_unsafe_empty (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (chmod (f->hooks, 0777), ==, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) files = stasis_hook_files (f->hooks, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (files->len, ==, 0);
}

static void
test_arguments (Fixture *f, gconstpointer data)
{
  write_hook (f, "qemu", "echo \"$# $1 $2 $3 $4 $(cat)\" >> $notes", 0755);
  StasisHookCall call = make_call (f, "release", "end");
  call.point.extra = "shutdown";
  g_autoptr (GError) error = NULL;
  stasis_hook_call (&call, f->input, NULL, NULL, &error);
  g_assert_no_error (error);
  call.name = "a b";
  call.point.extra = NULL;
  g_assert_true (stasis_hook_call (&call, f->input, NULL, NULL, &error));
  g_assert_no_error (error);
  assert_notes (f, "4 web release end shutdown <domain/>\n4 a b release end - <domain/>\n");
}

static void
test_filter (Fixture *f, gconstpointer data)
{
  g_autofree char *xml = NULL;
  g_autoptr (GError) error = NULL;
  write_hook (f, "qemu", "sed s/domain/first/", 0755);
  write_hook (f, "qemu.d/1", "printf ' \\n\\t'", 0755);
  write_hook (f, "qemu.d/2", "sed s/first/second/", 0755);
  write_hook (f, "qemu.d/3", "cat >> $notes", 0755);
  const StasisHookCall call = make_call (f, "restore", "begin");
  g_assert_true (stasis_hook_call (&call, f->input, &xml, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (xml, ==, "<second/>");
  assert_notes (f, "<second/>");

  write_hook (f, "qemu.d/2", "printf 'a\\000b'", 0755);
  g_clear_pointer (&xml, g_free);
  g_assert_false (stasis_hook_call (&call, f->input, &xml, NULL, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_HOOK);
  g_assert_null (xml);
}

static void
test_once (Fixture *f, gconstpointer data)
{
  write_hook (f, "qemu", "echo qemu >> $notes", 0755);
  write_hook (f, "qemu.d/1", "echo one >> $notes; exit 125", 0755);
  StasisHookCall call = make_call (f, "stopped", "end");
  call.is_once = TRUE;
  for (guint i = 0; i < 3; i++)
    g_assert_true (stasis_hook_call (&call, f->input, NULL, NULL, NULL));
  assert_notes (f, "qemu\none\n");
  g_assert_true (stasis_hook_marks_have (f->run, "stopped", "end"));
  g_assert_false (stasis_hook_marks_have (f->run, "stopped", "begin"));

  /* One that was added since is called as well. */
  write_hook (f, "qemu.d/2", "echo two >> $notes", 0755);
  g_assert_true (stasis_hook_call (&call, f->input, NULL, NULL, NULL));
  assert_notes (f, "qemu\none\ntwo\n");
  stasis_hook_marks_clear (f->run, "stopped", "end");
  g_assert_false (stasis_hook_marks_have (f->run, "stopped", "end"));
}

/* What others may refuse with is no sign of ours there. */
static void
test_exit_status (Fixture *f, gconstpointer data)
{
  write_hook (f, "qemu", "exit 125", 0755);
  const StasisHookCall call = make_call (f, "prepare", "begin");
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_hook_call (&call, f->input, NULL, NULL, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_HOOK);
  g_assert_nonnull (strstr (error->message, "exit status 125"));
  g_clear_error (&error);
  write_hook (f, "qemu", "kill -9 $$", 0755);
  g_assert_false (stasis_hook_call (&call, f->input, NULL, NULL, &error));
  g_assert_nonnull (strstr (error->message, "ended by signal 9"));
}

/* One is called already, by somebody who has died. */
static void
test_other (Fixture *f, gconstpointer data)
{
  write_hook (f, "qemu", "echo again >> $notes", 0755);
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) other
      = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, &error, "setsid", "sleep", "1000", NULL);
  g_assert_no_error (error);
  StasisProcess process;
  const pid_t pid = (pid_t) g_ascii_strtoll (g_subprocess_get_identifier (other), NULL, 10);
  g_assert_true (stasis_process_lookup (pid, &process));
  g_autofree char *text
      = g_strdup_printf ("%d %" G_GUINT64_FORMAT "\n", (int) pid, process.start_time);
  g_autofree char *mark = stasis_hook_mark_path (f->run, "stopped", "end", "qemu");
  g_assert_true (g_file_set_contents (mark, text, -1, NULL));
  StasisHookCall call = make_call (f, "stopped", "end");
  call.is_once = TRUE;
  call.timeout_s = 1;
  g_assert_true (stasis_hook_call (&call, f->input, NULL, NULL, &error));
  g_assert_no_error (error);
  assert_notes (f, "");
  g_assert_true (g_subprocess_wait (other, NULL, NULL));
  g_assert_true (g_subprocess_get_if_signaled (other));
}

/* A process with that number, but not that one. */
static void
test_other_pid (Fixture *f, gconstpointer data)
{
  g_autofree char *text = g_strdup_printf ("%d 1\n", (int) getpid ());
  g_autofree char *mark = stasis_hook_mark_path (f->run, "prepare", "begin", "qemu");
  g_assert_true (g_file_set_contents (mark, text, -1, NULL));
  stasis_hook_marks_end (f->run, "prepare", "begin");
  g_assert_true (stasis_hook_mark_await (mark, 1));
  g_assert_true (g_file_set_contents (mark, "", -1, NULL));
  stasis_hook_marks_end (f->run, "prepare", "begin");
  g_assert_true (g_file_set_contents (mark, "-1 x", -1, NULL));
  stasis_hook_marks_end (f->run, "prepare", "begin");
}

static void
test_cancelled (Fixture *f, gconstpointer data)
{
  write_hook (f, "qemu", "echo called >> $notes", 0755);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_cancellable_cancel (cancellable);
  const StasisHookCall call = make_call (f, "prepare", "begin");
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_hook_call (&call, f->input, NULL, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  assert_notes (f, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (scratch_skip_without_pidfds ())
    return g_test_run ();
#define ADD(name, function) \
  g_test_add ("/driver/hook/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("none", test_none);
  ADD ("order", test_order);
  ADD ("unsafe", test_unsafe);
  ADD ("unsafe-empty", test_unsafe_empty);
  ADD ("arguments", test_arguments);
  ADD ("filter", test_filter);
  ADD ("once", test_once);
  ADD ("exit-status", test_exit_status);
  ADD ("called-by-another", test_other);
  ADD ("another-process", test_other_pid);
  ADD ("cancelled", test_cancelled);
#undef ADD
  return g_test_run ();
}
