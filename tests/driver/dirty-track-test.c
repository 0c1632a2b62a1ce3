/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dirty-track-test.c: tests of src/driver/dirty-track.c on mappings of our own
 */

#include "config.h"

#include "driver/dirty-track.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stasis/error.h>

#include "driver/userfault.h"
#include "scratch.h"
#include "util/fd.h"

#define PAGE    4096u
#define N_PAGES 2048u
#define LENGTH  (N_PAGES * PAGE)

typedef struct
{
  StasisProcess self;
  int userfault;
  int file;
  guint8 *memory;
  StasisRamBlock ram;
  StasisDirtyTrack *track;
  GArray *ranges;
  guint64 octets;
} Fixture;

/* The first half exists. */
static void
set_up (Fixture *f, gconstpointer data)
{
  const int flags = GPOINTER_TO_INT (data);
  f->file = (flags & MAP_ANONYMOUS) != 0 ? -1 : memfd_create ("guest", MFD_CLOEXEC);
  if (f->file >= 0)
    g_assert_cmpint (ftruncate (f->file, LENGTH), ==, 0);
  f->memory = mmap (NULL, LENGTH, PROT_READ | PROT_WRITE, flags, f->file, 0);
  g_assert_true (f->memory != MAP_FAILED);
  madvise (f->memory, LENGTH, MADV_NOHUGEPAGE); /* ranges are told in small pages */
  for (guint i = 0; i < N_PAGES / 2; i++)
    f->memory[i * PAGE] = 1;
  g_assert_true (stasis_process_lookup (getpid (), &f->self));
  f->userfault = (int) syscall (SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
  g_assert_cmpint (f->userfault, >=, 0);
  f->ram = (StasisRamBlock){ .name = (char *) "ram",
                             .used_length = LENGTH,
                             .host_address = (guint64) (gsize) f->memory };
  f->ranges = g_array_new (FALSE, FALSE, sizeof (StasisGuestRange));
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_dirty_track_free (f->track);
  g_array_unref (f->ranges);
  munmap (f->memory, LENGTH);
  close (f->userfault);
  if (f->file >= 0)
    close (f->file);
}

/* FALSE: this kernel cannot. */
static gboolean
begin (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  f->track = stasis_dirty_track_new (&f->self, &error);
  g_assert_no_error (error);
  if (stasis_dirty_track_add (f->track, &f->ram, &error) == 0)
    return TRUE;
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
  g_test_skip (error->message);
  return FALSE;
}

static void
take (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  g_array_set_size (f->ranges, 0);
  g_assert_true (stasis_dirty_track_take (f->track, f->ranges, &f->octets, &error));
  g_assert_no_error (error);
}

static void
assert_range (const Fixture *f, guint index, guint64 page, guint64 n_pages)
{
  g_assert_cmpuint (f->ranges->len, >, index);
  const StasisGuestRange *range = &g_array_index (f->ranges, StasisGuestRange, index);
  g_assert_cmpuint (range->block, ==, 0);
  g_assert_cmpuint (range->offset, ==, page * PAGE);
  g_assert_cmpuint (range->length, ==, n_pages * PAGE);
}

static void
test_writes (Fixture *f, gconstpointer data)
{
  if (!begin (f))
    return;
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 0);

  f->memory[0] = 2;
  f->memory[5 * PAGE + 100] = 2;
  f->memory[6 * PAGE + 100] = 2;
  f->memory[1000 * PAGE] = 2;
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 3);
  assert_range (f, 0, 0, 1);
  assert_range (f, 1, 5, 2);
  assert_range (f, 2, 1000, 1);
  g_assert_cmpuint (f->octets, ==, 4 * PAGE);

  /* Seen once, and again when it is written to again. */
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 0);
  f->memory[5 * PAGE] = 3;
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 1);
  assert_range (f, 0, 5, 1);
}

/* A page that did not exist, and its neighbours that still do not. */
static void
test_new_pages (Fixture *f, gconstpointer data)
{
  if (!begin (f))
    return;
  f->memory[2000 * PAGE] = 2;
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 1);
  assert_range (f, 0, 2000, 1);
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 0);
}

/* The kernel writes for the process: read(2) into it. */
static void
test_kernel_writes (Fixture *f, gconstpointer data)
{
  if (!begin (f))
    return;
  const int zero = open ("/dev/zero", O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (read (zero, f->memory + 7 * PAGE, 2 * PAGE), ==, 2 * PAGE);
  g_assert_cmpint (read (zero, f->memory + 1500 * PAGE, PAGE), ==, PAGE);
  close (zero);
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 2);
  assert_range (f, 0, 7, 2);
  assert_range (f, 1, 1500, 1);
}

/* What a balloon gives back is zero from then on. */
static void
test_gone_pages (Fixture *f, gconstpointer data)
{
  if (!begin (f))
    return;
  g_assert_cmpint (madvise (f->memory + 10 * PAGE, 3 * PAGE, MADV_DONTNEED), ==, 0);
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 1);
  assert_range (f, 0, 10, 3);
}

/* One that came and went between two looks, but was copied meanwhile. */
static void
test_expected_pages (Fixture *f, gconstpointer data)
{
  guint8 copied[N_PAGES / 8] = { 0 };
  if (!begin (f))
    return;
  f->memory[2000 * PAGE] = 7;
  copied[2000 / 8] = 1u << 2000 % 8;
  g_assert_cmpint (madvise (f->memory + 2000 * PAGE, PAGE, MADV_DONTNEED), ==, 0);
  stasis_dirty_track_expect (f->track, 0, copied, sizeof copied);
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 1);
  assert_range (f, 0, 2000, 1);
}

/* Another process tracks us, and ends. */
static gboolean
begin_elsewhere (Fixture *f)
{
  const pid_t pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      const gboolean ok = begin (f);
      stasis_dirty_track_leave (f->track);
      _exit (ok ? 0 : 1);
    }
  int status;
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  if (WEXITSTATUS (status) == 0)
    return TRUE;
  g_test_skip ("another process of ours cannot track this one");
  return FALSE;
}

/* Take over what is tracked. */
static void
adopt (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  f->track = stasis_dirty_track_new (&f->self, &error);
  g_assert_no_error (error);
  g_assert_cmpint (stasis_dirty_track_adopt (f->track, &f->ram, &error), ==, 0);
  g_assert_no_error (error);
}

/* A tracker takes over from one whose process has gone: what was written to meanwhile, and since
 * when, is the kernel's to know.  (That it holds for pages that were swapped out meanwhile cannot
 * be tried without swap.) */
static void
test_adopted (Fixture *f, gconstpointer data)
{
  if (!begin_elsewhere (f))
    return;
  f->memory[3 * PAGE] = 2;
  f->memory[2000 * PAGE] = 2;
  adopt (f);
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 2);
  assert_range (f, 0, 3, 1);
  assert_range (f, 1, 2000, 1);

  /* And on to the next. */
  f->memory[4 * PAGE] = 2;
  g_clear_pointer (&f->track, stasis_dirty_track_leave);
  f->memory[5 * PAGE] = 2;
  adopt (f);
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 1);
  assert_range (f, 0, 4, 2);
}

/* The pages that were there before it has to be told. */
static void
test_adopted_gone (Fixture *f, gconstpointer data)
{
  guint8 before[N_PAGES / 8] = { 0 };
  memset (before, 0xff, sizeof before / 2);
  if (!begin_elsewhere (f))
    return;
  f->memory[3 * PAGE] = 2;
  f->memory[11 * PAGE] = 2;
  g_assert_cmpint (madvise (f->memory + 10 * PAGE, 3 * PAGE, MADV_DONTNEED), ==, 0);
  f->memory[12 * PAGE] = 2;
  adopt (f);
  stasis_dirty_track_expect (f->track, 0, before, sizeof before);
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 3);
  assert_range (f, 0, 3, 1);
  assert_range (f, 1, 12, 1);
  assert_range (f, 2, 10, 2);
}

/* Who only looks leaves it to the next. */
static void
test_look (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  if (!begin (f))
    return;
  f->memory[3 * PAGE] = 2;
  f->memory[2000 * PAGE] = 2;
  for (guint i = 0; i < 2; i++)
    {
      g_array_set_size (f->ranges, 0);
      g_assert_true (stasis_dirty_track_look (f->track, f->ranges, &f->octets, &error));
      g_assert_cmpuint (f->ranges->len, ==, 2);
      assert_range (f, 0, 3, 1);
      assert_range (f, 1, 2000, 1);
    }
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 2);
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 0);
}

static void
assert_lost (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  f->track = stasis_dirty_track_new (&f->self, &error);
  g_assert_no_error (error);
  g_assert_cmpint (stasis_dirty_track_adopt (f->track, &f->ram, &error), ==, -1);
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
  g_clear_pointer (&f->track, stasis_dirty_track_leave);
}

/* Memory of which not all is tracked is not taken over. */
static void
test_lost (Fixture *f, gconstpointer data)
{
  if (!begin (f))
    return;
  g_clear_pointer (&f->track, stasis_dirty_track_free);
  assert_lost (f);
  g_assert_true (begin (f));
  g_clear_pointer (&f->track, stasis_dirty_track_leave);
  void *page = f->memory + 77 * PAGE;
  g_assert_true (
      mmap (page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
      == page);
  assert_lost (f);
}

/* What was only read of a file is the file's, and was not written to. */
static void
test_only_read (Fixture *f, gconstpointer data)
{
  volatile guint8 octet = 0;
  if (!begin (f))
    return;
  stasis_dirty_track_set_private_file (f->track, 0);
  for (guint i = N_PAGES / 2; i < N_PAGES; i++)
    octet = f->memory[i * PAGE];
  f->memory[1500 * PAGE] = octet;
  f->memory[3 * PAGE] = 2;
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 2);
  assert_range (f, 0, 3, 1);
  assert_range (f, 1, 1500, 1);
  f->memory[1501 * PAGE] = octet;
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 1);
  assert_range (f, 0, 1501, 1);
}

/* Whether it will do is known before it is begun, and nothing is tracked by that. */
static void
test_probe (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) blocks = g_ptr_array_new ();
  g_ptr_array_add (blocks, &f->ram);
  f->track = stasis_dirty_track_new (&f->self, &error);
  g_assert_no_error (error);
  if (!stasis_dirty_track_probe (f->track, blocks, &error))
    {
      g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
      g_test_skip (error->message);
      return;
    }
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 0);
  f->ram.host_address = 4096; /* nobody's memory */
  g_assert_false (stasis_dirty_track_probe (f->track, blocks, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
}

/* Everything is as before, and can be tracked anew. */
static void
test_again (Fixture *f, gconstpointer data)
{
  if (!begin (f))
    return;
  g_clear_pointer (&f->track, stasis_dirty_track_free);
  f->memory[3 * PAGE] = 9;
  g_assert_cmpuint (f->memory[3 * PAGE], ==, 9);
  if (!begin (f))
    return;
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 0);
  f->memory[4 * PAGE] = 9;
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, 1);
  assert_range (f, 0, 4, 1);
}

static int
register_with (int userfault, const Fixture *f)
{
  struct uffdio_register request = {
    .range = { f->ram.host_address, LENGTH },
    .mode = UFFDIO_REGISTER_MODE_WP,
  };
  return ioctl (userfault, UFFDIO_REGISTER, &request);
}

/* QEMU's own userfaultfd may have the memory once that of a tracker which has died is taken away.
 */
static void
test_end (Fixture *f, gconstpointer data)
{
  if (!begin (f))
    return;
  g_autoptr (GError) error = NULL;
  stasis_autofd int other
      = (int) syscall (SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
  struct uffdio_api api = { .api = UFFD_API, .features = 1u << 0 | 1u << 12 };
  g_assert_cmpint (ioctl (other, UFFDIO_API, &api), ==, 0);
  g_assert_cmpint (register_with (other, f), ==, -1);
  g_assert_cmpint (errno, ==, EBUSY);

  g_assert_true (stasis_userfault_release (&f->self, &error));
  g_assert_no_error (error);
  g_assert_cmpint (register_with (other, f), ==, 0);
  g_assert_true (stasis_userfault_release (&f->self, &error)); /* nothing of ours is there */
}

/* More ranges than one call of the kernel's tells. */
static void
test_many (Fixture *f, gconstpointer data)
{
  if (!begin (f))
    return;
  for (guint i = 0; i < N_PAGES / 2; i += 2)
    f->memory[i * PAGE] = 7;
  take (f);
  g_assert_cmpuint (f->ranges->len, ==, N_PAGES / 4);
  for (guint i = 0; i < N_PAGES / 4; i++)
    assert_range (f, i, 2 * i, 1);
}

static void
test_none (void)
{
  StasisProcess self;
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_process_lookup (getpid (), &self));
  g_assert_null (stasis_dirty_track_new (&self, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
}

static void
add (const char *kind, int flags)
{
  static const struct
  {
    const char *name;
    void (*test) (Fixture *f, gconstpointer data);
  } tests[] = {
    { "writes", test_writes },
    { "new-pages", test_new_pages },
    { "kernel-writes", test_kernel_writes },
    { "again", test_again },
    { "end", test_end },
    { "many", test_many },
    { "adopted", test_adopted },
    { "look", test_look },
    { "lost", test_lost },
    { "probe", test_probe },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *path = g_strdup_printf ("/driver/dirty-track/%s/%s", kind, tests[i].name);
      g_test_add (path, Fixture, GINT_TO_POINTER (flags), set_up, tests[i].test, tear_down);
    }
}

int
main (int argc, char **argv)
{
  if (scratch_skip_without_pidfds ())
    return 0;
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/dirty-track/none", test_none);
  add ("anonymous", MAP_PRIVATE | MAP_ANONYMOUS);
  add ("private-file", MAP_PRIVATE);
  add ("shared", MAP_SHARED);
  g_test_add ("/driver/dirty-track/anonymous/gone-pages", Fixture,
              GINT_TO_POINTER (MAP_PRIVATE | MAP_ANONYMOUS), set_up, test_gone_pages, tear_down);
  g_test_add ("/driver/dirty-track/anonymous/expected-pages", Fixture,
              GINT_TO_POINTER (MAP_PRIVATE | MAP_ANONYMOUS), set_up, test_expected_pages,
              tear_down);
  g_test_add ("/driver/dirty-track/anonymous/adopted-gone", Fixture,
              GINT_TO_POINTER (MAP_PRIVATE | MAP_ANONYMOUS), set_up, test_adopted_gone, tear_down);
  g_test_add ("/driver/dirty-track/private-file/only-read", Fixture, GINT_TO_POINTER (MAP_PRIVATE),
              set_up, test_only_read, tear_down);
  return g_test_run ();
}
