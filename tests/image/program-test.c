/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program-test.c: filters whose program is missing, dies, stops early, or never ends
 *
 * A folder in front of PATH has a bzip2 that does what a test wants.
 */

#include "config.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>

#include "image/compress.h"
#include "image/error.h"
#include "streams.h"

static char *folder; /* (owned) where the bzip2 of a test lies */

static void
set_bzip2 (const char *script)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (folder, "bzip2", NULL);
  g_autofree char *text = g_strdup_printf ("#!/bin/sh\n%s\n", script);
  g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0755, &error);
  g_assert_no_error (error);
}

/* Nothing of ours is left, not even a zombie. */
static void
check_no_children (void)
{
  errno = 0;
  const pid_t pid = waitpid (-1, NULL, WNOHANG);
  g_assert_cmpint (pid, ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
}

static void
test_missing (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_strdup (g_getenv ("PATH"));
  g_autoptr (GBytes) bytes = streams_octets (10);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (bytes);
  g_autoptr (GByteArray) array = g_byte_array_new ();
  g_autoptr (StasisStreamOut) out = streams_collect (array);
  g_setenv ("PATH", "/nowhere", TRUE);
  g_assert_null (stasis_decompress_new (STASIS_COMPRESSION_XZ, in, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, "'xz'"));
  g_assert_nonnull (strstr (error->message, "'xz-utils'"));
  g_clear_error (&error);
  g_assert_null (stasis_compress_new (STASIS_COMPRESSION_LZOP, 0, 0, out, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_setenv ("PATH", path, TRUE);
  check_no_children ();
}

typedef struct
{
  const char *name;
  const char *script;
  gsize size; /* of the input */
  gboolean is_damage;
  const char *message;
} Case;

#define EARLY "something follows"

static const Case cases[] = {
  { "complains", "cat >/dev/null; echo 'no good' >&2; exit 1", 100000, TRUE, "no good" },
  { "mute", "cat >/dev/null; exit 1", 100000, TRUE, "said nothing" },
  { "warns", "cat; echo 'ignored it' >&2", 100000, TRUE, "ignored it" },
  { "unreadable", "printf '\\377\\n%0100000d' 0 >&2; exit 3", 10, TRUE, "0000" },
  { "killed", "head -c 10; kill -9 $$", 100000, FALSE, "killed by signal 9" },
  { "stops-early", "exit 0", 10000000, TRUE, EARLY },
  { "leaves-some", "head -c 1; exec 1>&-; sleep 0.2", 5000, TRUE, EARLY },
};

static void
test_decompress (gconstpointer data)
{
  const Case *c = data;
  set_bzip2 (c->script);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = streams_octets (c->size);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (bytes);
  g_autoptr (StasisStreamIn) filter = stasis_decompress_new (STASIS_COMPRESSION_BZIP2, in, &error);
  g_assert_no_error (error);
  g_assert_null (streams_drain (filter, NULL, &error));
  if (c->is_damage)
    g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  else
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, c->message));
  g_assert_true (strstr (error->message, "'bzip2'") != NULL || g_str_equal (c->message, EARLY));
  g_assert_cmpuint (strlen (error->message), <, 2000);
  stasis_stream_in_free (g_steal_pointer (&filter));
  check_no_children ();
}

static void
test_compress (gconstpointer data)
{
  const Case *c = data;
  set_bzip2 (c->script);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = streams_octets (c->size);
  g_autoptr (GByteArray) array = g_byte_array_new ();
  g_autoptr (StasisStreamOut) out = streams_collect (array);
  g_autoptr (StasisStreamOut) filter
      = stasis_compress_new (STASIS_COMPRESSION_BZIP2, 0, 0, out, &error);
  g_assert_no_error (error);
  const gboolean ok
      = stasis_stream_out_write (filter, g_bytes_get_data (bytes, NULL), c->size, NULL, &error)
        && stasis_stream_out_finish (filter, NULL, &error);
  g_assert_false (ok);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  if (!g_str_equal (c->message, EARLY))
    g_assert_nonnull (strstr (error->message, c->message));
  stasis_stream_out_free (g_steal_pointer (&filter));
  check_no_children ();
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (100 * 1000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

/* A program that neither reads, nor writes, nor ends, or that has only closed its output. */
static void
test_cancel (gconstpointer script)
{
  set_bzip2 (script);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = streams_octets (5000000);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (bytes);
  g_autoptr (StasisStreamIn) filter = stasis_decompress_new (STASIS_COMPRESSION_BZIP2, in, &error);
  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
  g_assert_null (streams_drain (filter, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  stasis_stream_in_free (g_steal_pointer (&filter));
  check_no_children ();
  g_clear_error (&error);

  g_autoptr (GCancellable) again = g_cancellable_new ();
  g_autoptr (GByteArray) array = g_byte_array_new ();
  g_autoptr (StasisStreamOut) out = streams_collect (array);
  g_autoptr (StasisStreamOut) sink
      = stasis_compress_new (STASIS_COMPRESSION_BZIP2, 0, 0, out, &error);
  thread = g_thread_new ("cancel", cancel_soon, again);
  const gboolean ok
      = stasis_stream_out_write (sink, g_bytes_get_data (bytes, NULL), 5000000, again, &error)
        && stasis_stream_out_finish (sink, again, &error);
  g_assert_false (ok);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  stasis_stream_out_free (g_steal_pointer (&sink));
  check_no_children ();
}

/* Dropped in the midst of it. */
static void
test_dropped (void)
{
  set_bzip2 ("exec cat");
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = streams_octets (5000000);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (bytes);
  StasisStreamIn *filter = stasis_decompress_new (STASIS_COMPRESSION_BZIP2, in, &error);
  char octets[100];
  g_assert_true (stasis_stream_in_read_exact (filter, octets, sizeof octets, NULL, &error));
  g_assert_cmpmem (octets, sizeof octets, g_bytes_get_data (bytes, NULL), sizeof octets);
  stasis_stream_in_free (filter);
  check_no_children ();
}

/* The user's options for the programs are not for us. */
static void
test_environment (void)
{
  set_bzip2 ("cat >/dev/null; echo \"$BZIP2$XZ_OPT\"");
  g_setenv ("BZIP2", "--fast", TRUE);
  g_setenv ("XZ_OPT", "-9", TRUE);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = streams_octets (10);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (bytes);
  g_autoptr (StasisStreamIn) filter = stasis_decompress_new (STASIS_COMPRESSION_BZIP2, in, &error);
  g_autoptr (GBytes) said = streams_drain (filter, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (said, NULL), g_bytes_get_size (said), "\n", 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_autoptr (GError) error = NULL;
  folder = g_dir_make_tmp ("stasis-program-test-XXXXXX", &error);
  g_assert_no_error (error);
  g_autofree char *path = g_strdup_printf ("%s:%s", folder, g_getenv ("PATH"));
  g_setenv ("PATH", path, TRUE);

  g_test_add_func ("/image/program/missing", test_missing);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *in = g_strdup_printf ("/image/program/decompress/%s", cases[i].name);
      g_autofree char *out = g_strdup_printf ("/image/program/compress/%s", cases[i].name);
      g_test_add_data_func (in, &cases[i], test_decompress);
      g_test_add_data_func (out, &cases[i], test_compress);
    }
  g_test_add_data_func ("/image/program/cancel/stuck", "exec sleep 1000", test_cancel);
  g_test_add_data_func ("/image/program/cancel/closed",
                        "exec >&- 2>&-; cat >/dev/null; exec sleep 1000", test_cancel);
  g_test_add_func ("/image/program/dropped", test_dropped);
  g_test_add_func ("/image/program/environment", test_environment);
  const int status = g_test_run ();

  g_autofree char *program = g_build_filename (folder, "bzip2", NULL);
  g_unlink (program);
  g_rmdir (folder);
  g_free (folder);
  return status;
}
