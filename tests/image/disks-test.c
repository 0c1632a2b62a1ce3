/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disks-test.c: tests of src/image/disks.c and facts.c
 */

#include "config.h"

#include "image/disks.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/error.h"
#include "image/facts.h"
#include "sample.h"
#include "util/fd.h"

static StasisImageDisk *
look (int fd)
{
  g_autoptr (GError) error = NULL;
  StasisImageDisk *disk = stasis_image_disk_new_from_fd ("vda", "/srv/x.qcow2", "qcow2",
                                                         /* readonly= */ FALSE, fd, &error);
  g_assert_no_error (error);
  return disk;
}

static int
new_disk (void)
{
  const int fd = sample_file ();
  g_assert_cmpint (pwrite (fd, "QFI\373 and so on", 14, 0), ==, 14);
  g_assert_cmpint (ftruncate (fd, 100000), ==, 0);
  return fd;
}

static void
set_time (int fd, time_t seconds)
{
  const struct timespec times[2] = { { seconds, 5 }, { seconds, 123456789 } };
  g_assert_cmpint (futimens (fd, times), ==, 0);
}

static void
test_round_trip (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = new_disk ();
  set_time (fd, 1790000000);
  g_autoptr (StasisImageDisk) disk = look (fd);
  g_assert_cmpuint (disk->size, ==, 100000);
  g_assert_cmpint (disk->mtime_ns, ==, 1790000000123456789);
  g_assert_cmpuint (strlen (disk->overlay), ==, 32);

  g_autoptr (GPtrArray) disks = g_ptr_array_new ();
  g_ptr_array_add (disks, disk);
  g_autoptr (StasisJson) json = stasis_image_disks_to_json (disks);
  g_autofree char *text = stasis_json_to_string (json);
  g_autoptr (StasisJson) parsed = stasis_json_parse (text, -1, &error);
  g_autoptr (GPtrArray) again = stasis_image_disks_from_json (parsed, &error);
  g_assert_no_error (error);
  g_autoptr (StasisJson) json_again = stasis_image_disks_to_json (again);
  g_autofree char *text_again = stasis_json_to_string (json_again);
  g_assert_cmpstr (text, ==, text_again);
  g_assert_true (stasis_image_disk_compare (disk, g_ptr_array_index (again, 0), &error));
  g_assert_no_error (error);
}

static void
change_size (int fd)
{
  g_assert_cmpint (ftruncate (fd, 100001), ==, 0);
  set_time (fd, 1000);
}

static void
change_time (int fd)
{
  set_time (fd, 1001);
}

/* Another disk of the same size that somebody gave the same time. */
static void
change_beginning (int fd)
{
  g_assert_cmpint (pwrite (fd, "x", 1, 65535), ==, 1);
  set_time (fd, 1000);
}

/* Nothing that counts: the same content elsewhere. */
static void
change_nothing (int fd)
{
  set_time (fd, 1000);
}

typedef struct
{
  const char *name;
  void (*change) (int fd);
  const char *message; /* NULL: no difference */
} Case;

static const Case cases[] = {
  { "size", change_size,
    "'vda' ('/srv/x.qcow2') has changed since the save: it had 100000 octets" },
  { "time", change_time, "it was last written at" },
  { "beginning", change_beginning, "another disk" },
  { "nothing", change_nothing, NULL },
};

static void
test_compare (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = new_disk ();
  set_time (fd, 1000);
  g_autoptr (StasisImageDisk) saved = look (fd);
  c->change (fd);
  g_autoptr (StasisImageDisk) now = look (fd);
  g_assert_cmpint (stasis_image_disk_compare (saved, now, &error), ==, c->message == NULL);
  if (c->message == NULL)
    return;
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, c->message));
}

static void
test_no_disk (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  g_assert_null (stasis_image_disk_new_from_fd ("vda", "/dev/null", "raw", TRUE, fd, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
}

static const char *const bad_disks[]
    = { "{}",
        "{\"disks\":{}}",
        "{\"disks\":[1]}",
        "{\"disks\":[{\"target\":\"vda\"}]}",
        "{\"disks\":[{\"target\":\"vda\",\"path\":\"/x\",\"format\":\"raw\",\"readonly\":false,"
        "\"size\":-1}]}",
        "{\"disks\":[{\"target\":\"vda\",\"path\":\"/x\",\"format\":\"raw\",\"readonly\":0,"
        "\"size\":1}]}" };

static void
test_bad_disks (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (bad_disks); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (StasisJson) json = stasis_json_parse (bad_disks[i], -1, &error);
      g_assert_no_error (error);
      g_assert_null (stasis_image_disks_from_json (json, &error));
      g_assert_nonnull (error);
    }
}

/* Each mandatory member, left out or of another type. */
static void
test_facts (void)
{
  static const char *const keys[]
      = { "emulator", "version", "machine", "accelerator", "run-state", "capabilities" };
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJson) good = sample_facts ();
  g_assert_true (stasis_image_facts_check (good, &error));
  g_assert_no_error (error);
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autoptr (StasisJson) facts = sample_facts ();
      stasis_json_set_int (facts, keys[i], 1);
      g_assert_false (stasis_image_facts_check (facts, &error));
      g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
      g_assert_nonnull (strstr (error->message, keys[i]));
      g_clear_error (&error);
    }
  stasis_json_set_string (good, "run-state", "asleep");
  g_assert_false (stasis_image_facts_check (good, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/disks/round-trip", test_round_trip);
  g_test_add_func ("/image/disks/no-disk", test_no_disk);
  g_test_add_func ("/image/disks/bad", test_bad_disks);
  g_test_add_func ("/image/facts/check", test_facts);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/disks/compare/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_compare);
    }
  return g_test_run ();
}
