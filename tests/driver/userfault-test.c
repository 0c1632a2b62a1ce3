/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * userfault-test.c: tests of src/driver/userfault.c on mappings of our own
 */

#include "config.h"

#include "driver/userfault.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <stasis/error.h>

#include "driver/dirty-track.h"
#include "scratch.h"
#include "util/fd.h"

#define PAGE   4096u
#define LENGTH (64 * PAGE)

static StasisProcess self;

/* Without one there is nothing to fetch, and nothing to release. */
static void
test_none (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (stasis_userfault_fetch (&self, &error), ==, -1);
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
  g_clear_error (&error);
  g_assert_true (stasis_userfault_release (&self, &error));
  g_assert_no_error (error);
}

static gboolean
is_tracked (const StasisRamBlock *ram)
{
  StasisDirtyTrack *track = stasis_dirty_track_new (&self, NULL);
  g_assert_nonnull (track);
  const gboolean ok = stasis_dirty_track_adopt (track, ram, NULL) >= 0;
  stasis_dirty_track_leave (track);
  return ok;
}

/* What anybody has left tracked is free again, and the memory is as it was. */
static void
test_release (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int userfault
      = (int) syscall (SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
  g_assert_cmpint (userfault, >=, 0);
  guint8 *memory[2];
  StasisRamBlock ram[2];
  StasisDirtyTrack *track = stasis_dirty_track_new (&self, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 2; i++)
    {
      memory[i] = mmap (NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      g_assert_true (memory[i] != MAP_FAILED);
      memory[i][0] = 7;
      ram[i] = (StasisRamBlock){ .name = (char *) "ram",
                                 .used_length = LENGTH,
                                 .host_address = (guint64) (gsize) memory[i] };
      if (stasis_dirty_track_add (track, &ram[i], &error) < 0)
        {
          g_test_skip (error->message);
          stasis_dirty_track_free (track);
          return;
        }
    }
  stasis_dirty_track_leave (track);
  for (guint i = 0; i < 2; i++)
    g_assert_true (is_tracked (&ram[i]));

  for (guint round = 0; round < 2; round++)
    {
      g_assert_true (stasis_userfault_release (&self, &error));
      g_assert_no_error (error);
      for (guint i = 0; i < 2; i++)
        g_assert_false (is_tracked (&ram[i]));
    }
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpuint (memory[i][0], ==, 7);
      memory[i][0] = 8;
      munmap (memory[i], LENGTH);
    }
}

int
main (int argc, char **argv)
{
  if (scratch_skip_without_pidfds ())
    return 0;
  g_test_init (&argc, &argv, NULL);
  g_assert_true (stasis_process_lookup (getpid (), &self));
  g_test_add_func ("/driver/userfault/none", test_none);
  g_test_add_func ("/driver/userfault/release", test_release);
  return g_test_run ();
}
