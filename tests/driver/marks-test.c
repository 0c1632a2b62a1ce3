/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * marks-test.c: tests of src/driver/marks.c
 */

#include "config.h"

#include "driver/marks.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sample.h"
#include "scratch.h"
#include "util/fd.h"

typedef struct
{
  char *folder;
  StasisPaths *paths;
  char *path; /* of an image */
  int fd;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->folder = scratch_new ();
  f->paths = scratch_paths (f->folder);
  f->path = scratch_text (f->folder, "image", "0123456789");
  f->fd = open (f->path, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (f->fd, >=, 0);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_fd_clear (&f->fd);
  g_free (f->path);
  stasis_paths_free (f->paths);
  scratch_remove (f->folder);
}

/* The time of change has the grain of the kernel's tick where the file system has no finer one. */
static void
let_tick_pass (void)
{
  g_usleep (20000);
}

static void
test_stamp (Fixture *f, gconstpointer data)
{
  g_assert_false (stasis_mark_is_verified (f->paths, f->fd));
  stasis_mark_verified (f->paths, f->fd);
  g_assert_true (stasis_mark_is_verified (f->paths, f->fd));

  /* Reading it, and by another descriptor, changes nothing. */
  let_tick_pass ();
  char octet;
  stasis_autofd int other = open (f->path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (read (other, &octet, 1), ==, 1);
  g_assert_true (stasis_mark_is_verified (f->paths, other));
  g_assert_true (stasis_mark_is_verified (f->paths, f->fd));
}

/* Each file has its own. */
static void
test_two_stamps (Fixture *f, gconstpointer data)
{
  g_autofree char *second = scratch_text (f->folder, "second", "0123456789");
  stasis_autofd int fd = open (second, O_RDONLY | O_CLOEXEC);
  stasis_mark_verified (f->paths, f->fd);
  g_assert_false (stasis_mark_is_verified (f->paths, fd));
  let_tick_pass ();
  g_assert_cmpint (fchmod (fd, 0640), ==, 0);
  stasis_mark_verified (f->paths, fd);
  g_assert_true (stasis_mark_is_verified (f->paths, fd));
  g_assert_true (stasis_mark_is_verified (f->paths, f->fd));
}

typedef void (*Touch) (Fixture *f);

static void
write_same_octet (Fixture *f)
{
  g_assert_cmpint (pwrite (f->fd, "0", 1, 0), ==, 1);
}

static void
append (Fixture *f)
{
  g_assert_cmpint (pwrite (f->fd, "x", 1, 10), ==, 1);
}

static void
truncate_it (Fixture *f)
{
  g_assert_cmpint (ftruncate (f->fd, 9), ==, 0);
}

static void
truncate_to_same_size (Fixture *f)
{
  g_assert_cmpint (ftruncate (f->fd, 10), ==, 0);
}

/* Who sets the time of writing back cannot set the time of change back. */
static void
write_and_set_time_back (Fixture *f)
{
  struct stat st;
  g_assert_cmpint (fstat (f->fd, &st), ==, 0);
  write_same_octet (f);
  const struct timespec times[] = { st.st_atim, st.st_mtim };
  g_assert_cmpint (futimens (f->fd, times), ==, 0);
}

static void
change_mode (Fixture *f)
{
  g_assert_cmpint (fchmod (f->fd, 0640), ==, 0);
}

static void
rename_it (Fixture *f)
{
  g_autofree char *to = g_strconcat (f->path, "-2", NULL);
  g_assert_cmpint (rename (f->path, to), ==, 0);
}

/* The same name and octets, another file. */
static void
replace_it (Fixture *f)
{
  g_autofree char *copy = scratch_text (f->folder, "copy", "0123456789");
  g_assert_cmpint (rename (copy, f->path), ==, 0);
  stasis_fd_clear (&f->fd);
  f->fd = open (f->path, O_RDWR | O_CLOEXEC);
}

static void
damage_the_stamp (Fixture *f)
{
  g_autofree char *stamps = stasis_paths_mark (f->paths, "verified", "");
  g_autoptr (GDir) dir = g_dir_open (stamps, 0, NULL);
  const char *name = g_dir_read_name (dir);
  g_assert_nonnull (name);
  g_autofree char *stamp = g_build_filename (stamps, name, NULL);
  g_assert_cmpint (truncate (stamp, 5), ==, 0);
  g_assert_null (g_dir_read_name (dir));
}

typedef struct
{
  const char *test;
  Touch touch;
} TouchCase;

static const TouchCase touch_cases[] = {
  { "write", write_same_octet },
  { "append", append },
  { "truncate", truncate_it },
  { "truncate-to-same-size", truncate_to_same_size },
  { "time-set-back", write_and_set_time_back },
  { "chmod", change_mode },
  { "rename", rename_it },
  { "replace", replace_it },
  { "damaged-stamp", damage_the_stamp },
};

static void
test_touch (Fixture *f, gconstpointer data)
{
  const TouchCase *c = data;
  stasis_mark_verified (f->paths, f->fd);
  g_assert_true (stasis_mark_is_verified (f->paths, f->fd));
  let_tick_pass ();
  c->touch (f);
  g_assert_false (stasis_mark_is_verified (f->paths, f->fd));

  /* A new stamp takes the place of the old one. */
  stasis_mark_verified (f->paths, f->fd);
  g_assert_true (stasis_mark_is_verified (f->paths, f->fd));
}

/* Touched while it was being verified: nobody knows what was read. */
static void
test_touch_meanwhile (Fixture *f, gconstpointer data)
{
  const TouchCase *c = data;
  struct stat before;
  stasis_mark_begin (f->fd, &before);
  let_tick_pass ();
  c->touch (f);
  stasis_mark_verified_since (f->paths, f->fd, &before);
  g_assert_false (stasis_mark_is_verified (f->paths, f->fd));
}

static void
test_since (Fixture *f, gconstpointer data)
{
  struct stat before;
  stasis_mark_begin (f->fd, &before);
  let_tick_pass ();
  stasis_mark_verified_since (f->paths, f->fd, &before);
  g_assert_true (stasis_mark_is_verified (f->paths, f->fd));

  stasis_mark_begin (-1, &before);
  g_assert_cmpuint (before.st_ino, ==, 0);
  stasis_mark_verified_since (f->paths, -1, &before);
}

/* A stamp that cannot be written is only not there. */
static void
test_stamp_fails (Fixture *f, gconstpointer data)
{
  g_free (scratch_text (f->folder, "lib", "in the way"));
  stasis_mark_verified (f->paths, f->fd);
  g_assert_false (stasis_mark_is_verified (f->paths, f->fd));
  stasis_mark_verified (f->paths, -1);
  g_assert_false (stasis_mark_is_verified (f->paths, -1));
}

static StasisImage *
open_image (int fd)
{
  g_autoptr (GError) error = NULL;
  StasisImage *image = sample_open (fd, &error);
  g_assert_no_error (error);
  return image;
}

/* Known by its UUID: a copy was resumed too, another image was not. */
static void
test_resumed (Fixture *f, gconstpointer data)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  stasis_autofd int copy_fd = sample_copy (fd);
  stasis_autofd int other_fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_autoptr (StasisImage) image = open_image (fd);
  g_autoptr (StasisImage) copy = open_image (copy_fd);
  g_autoptr (StasisImage) other = open_image (other_fd);

  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_mark_is_resumed (f->paths, image));
  g_assert_true (stasis_mark_resumed (f->paths, image, &error));
  g_assert_no_error (error);
  g_assert_true (stasis_mark_is_resumed (f->paths, image));
  g_assert_true (stasis_mark_is_resumed (f->paths, copy));
  g_assert_false (stasis_mark_is_resumed (f->paths, other));
  g_assert_true (stasis_mark_resumed (f->paths, image, &error));

  stasis_mark_clear_resumed (f->paths, copy);
  g_assert_false (stasis_mark_is_resumed (f->paths, image));
  stasis_mark_clear_resumed (f->paths, copy);
}

/* This mark is safety: where it cannot be made, the caller hears of it. */
static void
test_resumed_fails (Fixture *f, gconstpointer data)
{
  g_free (scratch_text (f->folder, "lib", "in the way"));
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_autoptr (StasisImage) image = open_image (fd);
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_mark_resumed (f->paths, image, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_DIRECTORY);
}

/* So many old marks of this kind, the higher their number the younger. */
static char *
make_old_marks (Fixture *f, const char *kind, guint count)
{
  g_autofree char *one = stasis_paths_mark (f->paths, kind, "0");
  char *folder = g_path_get_dirname (one);
  g_assert_true (stasis_paths_make (folder, NULL));
  stasis_autofd int at = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (guint i = 0; i < count; i++)
    {
      char name[16];
      g_snprintf (name, sizeof name, "%u", i);
      stasis_autofd int fd = openat (at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
      const struct timespec times[] = { { .tv_sec = 1000 + i }, { .tv_sec = 1000 + i } };
      g_assert_cmpint (futimens (fd, times), ==, 0);
    }
  return folder;
}

static guint
count_marks (const char *folder)
{
  guint count = 0;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  while (g_dir_read_name (dir) != NULL)
    count++;
  return count;
}

static gboolean
has_mark (const char *folder, guint number)
{
  g_autofree char *path = g_strdup_printf ("%s/%u", folder, number);
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* Stamps of images that have gone do not pile up: the oldest go, the new one stays. */
static void
test_prune (Fixture *f, gconstpointer data)
{
  g_autofree char *folder = make_old_marks (f, "verified", 4095);
  stasis_mark_verified (f->paths, f->fd);
  g_assert_cmpuint (count_marks (folder), ==, 4096);
  stasis_mark_verified (f->paths, f->fd);
  g_assert_cmpuint (count_marks (folder), ==, 4096);

  g_free (scratch_text (folder, "5000", "young"));
  stasis_mark_verified (f->paths, f->fd);
  g_assert_cmpuint (count_marks (folder), ==, 3072);
  g_assert_true (stasis_mark_is_verified (f->paths, f->fd));
  g_assert_true (has_mark (folder, 5000));
  g_assert_true (has_mark (folder, 4094));
  g_assert_false (has_mark (folder, 0));
  g_assert_false (has_mark (folder, 1024));
  g_assert_true (has_mark (folder, 1025));
}

/* Losing one of these would let a guest be resumed twice: so many are kept that none is missed. */
static void
test_prune_resumed (Fixture *f, gconstpointer data)
{
  g_autofree char *folder = make_old_marks (f, "resumed", 10000);
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_autoptr (StasisImage) image = open_image (fd);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_mark_resumed (f->paths, image, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (count_marks (folder), ==, 10001);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/driver/marks/stamp", Fixture, NULL, set_up, test_stamp, tear_down);
  g_test_add ("/driver/marks/two-stamps", Fixture, NULL, set_up, test_two_stamps, tear_down);
  for (gsize i = 0; i < G_N_ELEMENTS (touch_cases); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/marks/touch/", touch_cases[i].test, NULL);
      g_test_add (test, Fixture, &touch_cases[i], set_up, test_touch, tear_down);
      if (touch_cases[i].touch == damage_the_stamp)
        continue;
      g_autofree char *meanwhile = g_strconcat (test, "-meanwhile", NULL);
      g_test_add (meanwhile, Fixture, &touch_cases[i], set_up, test_touch_meanwhile, tear_down);
    }
  g_test_add ("/driver/marks/since", Fixture, NULL, set_up, test_since, tear_down);
  g_test_add ("/driver/marks/stamp-fails", Fixture, NULL, set_up, test_stamp_fails, tear_down);
  g_test_add ("/driver/marks/resumed", Fixture, NULL, set_up, test_resumed, tear_down);
  g_test_add ("/driver/marks/resumed-fails", Fixture, NULL, set_up, test_resumed_fails, tear_down);
  g_test_add ("/driver/marks/prune", Fixture, NULL, set_up, test_prune, tear_down);
  g_test_add ("/driver/marks/prune-resumed", Fixture, NULL, set_up, test_prune_resumed, tear_down);
  return g_test_run ();
}
