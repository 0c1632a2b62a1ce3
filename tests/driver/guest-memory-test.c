/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-memory-test.c: tests of src/driver/guest-memory.c, of memory of this very process
 */

#include "config.h"

#include "driver/guest-memory.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "util/fd.h"

#define PAGE   4096u
#define PIECE  STASIS_GUEST_MEMORY_PIECE
#define LENGTH (4u * PIECE)

typedef struct
{
  char *folder;
  int file; /* its second piece has data, the others are holes */
  guint8 *memory;
  StasisGuestMemory *guest;
  guint8 octets[PIECE];
} Fixture;

static guint
add (StasisGuestMemory *guest, const void *memory, guint64 length)
{
  const StasisRamBlock block = { .name = (char *) "pc.ram",
                                 .page_size = PAGE,
                                 .used_length = length,
                                 .total_length = length,
                                 .host_address = (guint64) (gsize) memory };
  return stasis_guest_memory_add (guest, &block);
}

static StasisGuestMemory *
of_ourselves (int image)
{
  StasisProcess self;
  g_assert_true (stasis_process_lookup (getpid (), &self));
  return stasis_guest_memory_new (&self, image);
}

/* @data: the flags of the mapping. */
static void
set_up (Fixture *f, gconstpointer data)
{
  f->folder = scratch_new ();
  g_autofree char *path = g_build_filename (f->folder, "image", NULL);
  f->file = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  memset (f->octets, 7, PIECE);
  g_assert_cmpint (ftruncate (f->file, 2 * PIECE + LENGTH), ==, 0);
  g_assert_true (stasis_fd_pwrite_exact (f->file, f->octets, PIECE, 3 * PIECE, NULL));
  f->memory
      = mmap (NULL, LENGTH, PROT_READ | PROT_WRITE, GPOINTER_TO_INT (data), f->file, 2 * PIECE);
  g_assert_true (f->memory != MAP_FAILED);
  f->guest = of_ourselves (f->file);
  g_assert_cmpuint (add (f->guest, f->memory, LENGTH), ==, 0);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_guest_memory_free (f->guest);
  munmap (f->memory, LENGTH);
  stasis_fd_clear (&f->file);
  scratch_remove (f->folder);
}

static gboolean
read_piece (Fixture *f, guint64 offset, gsize length)
{
  g_autoptr (GError) error = NULL;
  gboolean is_zero = FALSE;
  memset (f->octets, 0xee, PIECE);
  g_assert_true (
      stasis_guest_memory_read (f->guest, 0, offset, f->octets, length, &is_zero, &error));
  g_assert_no_error (error);
  return is_zero;
}

static void
assert_same (const Fixture *f, guint64 offset, gsize length)
{
  g_assert_cmpmem (f->octets, length, f->memory + offset, length);
}

/* Pages of the mapping that are there. */
static guint
count_present (const Fixture *f)
{
  unsigned char present[LENGTH / PAGE];
  guint count = 0;
  g_assert_cmpint (mincore (f->memory, LENGTH, present), ==, 0);
  for (gsize i = 0; i < sizeof present; i++)
    count += present[i] & 1;
  return count;
}

static void
test_holes (Fixture *f, gconstpointer data)
{
  const guint before = count_present (f);
  g_assert_true (read_piece (f, 0, PIECE));
  g_assert_true (read_piece (f, 2 * PIECE, PIECE));
  g_assert_false (read_piece (f, PIECE, PIECE));
  g_assert_cmpuint (f->octets[0], ==, 7);
  g_assert_cmpuint (f->octets[PIECE - 1], ==, 7);
  /* Nothing was made by looking. */
  g_assert_cmpuint (count_present (f), ==, before);
}

/* Pages that were written lie over those of the file: zeros too. */
static void
test_own_pages (Fixture *f, gconstpointer data)
{
  f->memory[5 * PAGE] = 1;
  f->memory[2 * PIECE - 1] = 2;
  memset (f->memory + PIECE + 3 * PAGE, 0, PAGE);
  f->memory[3 * PIECE] = 4;
  g_assert_false (read_piece (f, 0, PIECE));
  assert_same (f, 0, PIECE);
  g_assert_cmpuint (f->octets[5 * PAGE], ==, 1);
  g_assert_false (read_piece (f, PIECE, PIECE));
  assert_same (f, PIECE, PIECE);
  g_assert_cmpuint (f->octets[3 * PAGE], ==, 0);
  g_assert_true (read_piece (f, 2 * PIECE, PIECE));
  g_assert_false (read_piece (f, 3 * PIECE, PIECE));
  assert_same (f, 3 * PIECE, PIECE);
}

/* What the guest has read is the file's as before; and what others do to it later shows. */
static void
test_read_pages (Fixture *f, gconstpointer data)
{
  const volatile guint8 *memory = f->memory;
  g_assert_cmpuint (memory[PIECE + 9] + memory[2 * PIECE], ==, 7);
  g_assert_true (read_piece (f, 2 * PIECE, PIECE));
  g_assert_false (read_piece (f, PIECE, PIECE));
  assert_same (f, PIECE, PIECE);
}

/* Less than a piece, and less than a page. */
static void
test_short (Fixture *f, gconstpointer data)
{
  f->memory[PIECE + PAGE] = 9;
  g_assert_false (read_piece (f, PIECE, 3 * PAGE));
  assert_same (f, PIECE, 3 * PAGE);
  g_assert_cmpuint (f->octets[3 * PAGE], ==, 0xee);
  g_assert_false (read_piece (f, PIECE, 100));
  assert_same (f, PIECE, 100);
}

/* What is in the file is the memory. */
static void
test_shared (Fixture *f, gconstpointer data)
{
  f->memory[7] = 1;
  const guint before = count_present (f);
  g_assert_false (read_piece (f, 0, PIECE));
  assert_same (f, 0, PIECE);
  g_assert_true (read_piece (f, 2 * PIECE, PIECE));
  g_assert_false (read_piece (f, PIECE, 100));
  assert_same (f, PIECE, 100);
  g_assert_cmpuint (count_present (f), ==, before);
}

/* Memory of no name, which looking at its holes would fill. */
static void
test_memfd (void)
{
  stasis_autofd int fd = memfd_create ("guest", MFD_CLOEXEC);
  g_assert_cmpint (ftruncate (fd, LENGTH), ==, 0);
  guint8 *memory = mmap (NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  g_autoptr (StasisGuestMemory) guest = of_ourselves (-1);
  g_autofree guint8 *octets = g_malloc (PIECE);
  gboolean is_zero = FALSE;
  memory[PIECE + 1] = 3;
  struct stat before, after;
  g_assert_cmpint (fstat (fd, &before), ==, 0);
  g_assert_cmpuint (add (guest, memory, LENGTH), ==, 0);
  g_assert_true (stasis_guest_memory_read (guest, 0, 2 * PIECE, octets, PIECE, &is_zero, NULL));
  g_assert_true (is_zero);
  g_assert_true (stasis_guest_memory_read (guest, 0, PIECE, octets, PIECE, &is_zero, NULL));
  g_assert_false (is_zero);
  g_assert_cmpint (fstat (fd, &after), ==, 0);
  g_assert_cmpint (after.st_blocks, ==, before.st_blocks);
  g_assert_cmpmem (octets, PIECE, memory + PIECE, PIECE);
  munmap (memory, LENGTH);
}

/* Memory of no file. */
static void
test_anonymous (void)
{
  guint8 *memory = mmap (NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_autoptr (StasisGuestMemory) guest = of_ourselves (-1);
  g_autofree guint8 *octets = g_malloc (PIECE);
  gboolean is_zero = FALSE;
  /* A huge page would be there as a whole. */
  madvise (memory, LENGTH, MADV_NOHUGEPAGE);
  memory[PIECE + 1] = 3;
  g_assert_cmpuint (add (guest, memory, LENGTH), ==, 0);
  g_assert_true (stasis_guest_memory_read (guest, 0, 0, octets, PIECE, &is_zero, NULL));
  g_assert_true (is_zero);
  g_assert_true (stasis_guest_memory_read (guest, 0, PIECE, octets, PIECE, &is_zero, NULL));
  g_assert_false (is_zero);
  g_assert_cmpmem (octets, PIECE, memory + PIECE, PIECE);
  munmap (memory, LENGTH);
}

static void
test_no_memory (void)
{
  g_autoptr (StasisGuestMemory) guest = of_ourselves (-1);
  g_autoptr (GError) error = NULL;
  guint8 octets[PAGE];
  gboolean is_zero;
  add (guest, (const void *) (gsize) PAGE, PAGE);
  g_assert_false (stasis_guest_memory_read (guest, 0, 0, octets, PAGE, &is_zero, &error));
  g_assert_nonnull (strstr (error->message, "cannot read the memory of QEMU"));
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*test) (Fixture *f, gconstpointer data);
    int flags;
  } tests[] = {
    { "/driver/guest-memory/holes", test_holes, MAP_PRIVATE },
    { "/driver/guest-memory/own-pages", test_own_pages, MAP_PRIVATE },
    { "/driver/guest-memory/read-pages", test_read_pages, MAP_PRIVATE },
    { "/driver/guest-memory/short", test_short, MAP_PRIVATE },
    { "/driver/guest-memory/shared", test_shared, MAP_SHARED },
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].name, Fixture, GINT_TO_POINTER (tests[i].flags), set_up, tests[i].test,
                tear_down);
  g_test_add_func ("/driver/guest-memory/anonymous", test_anonymous);
  g_test_add_func ("/driver/guest-memory/memfd", test_memfd);
  g_test_add_func ("/driver/guest-memory/no-memory", test_no_memory);
  return g_test_run ();
}
