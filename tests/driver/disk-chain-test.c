/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-chain-test.c: tests of src/driver/disk-chain.c
 *
 * The images are qemu-img's own where it makes such ones, and made by hand where it does not.
 */

#include "config.h"

#include "driver/disk-chain.h"

#include <fcntl.h>
#include <stasis/error.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "util/fd.h"

static char *folder;

static char *
path_of (const char *name)
{
  return g_build_filename (folder, name, NULL);
}

/* qemu-img create; @backing (nullable) as it is to stand in the header. */
static gboolean
create (const char *name, const char *options, const char *backing, const char *backing_format)
{
  g_autofree char *path = path_of (name);
  if (backing == NULL)
    return scratch_run ("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, "1M", NULL);
  return scratch_run ("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-o", options, "-b", backing,
                      "-F", backing_format, path, "1M", NULL);
}

static gboolean
has_qemu_img (void)
{
  g_autofree char *found = g_find_program_in_path ("qemu-img");
  if (found == NULL)
    g_test_skip ("qemu-img is not installed");
  return found != NULL;
}

/* The chain of @name must be @expected: "name:format" each, up to NULL. */
static void
assert_chain (const char *name, const char *const *expected)
{
  g_autofree char *path = path_of (name);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) chain = stasis_disk_chain_read (path, "qcow2", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (chain->len, ==, g_strv_length ((char **) expected));
  for (guint i = 0; i < chain->len; i++)
    {
      const StasisDiskLink *link = g_ptr_array_index (chain, i);
      g_autofree char *full = path_of (expected[i]);
      g_autofree char *got = g_strconcat (link->path, ":", link->format, NULL);
      g_assert_cmpstr (got, ==, full);
    }
}

static void
assert_refused (const char *name, GQuark domain, int code, const char *fault)
{
  g_autofree char *path = path_of (name);
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_disk_chain_read (path, "qcow2", &error));
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_error (error, domain, code);
  g_assert_nonnull (strstr (error->message, folder));
  g_assert_nonnull (strstr (error->message, fault));
}

static void
test_depths (gconstpointer options)
{
  if (!has_qemu_img ())
    return;
  create ("none", options, NULL, NULL);
  create ("one", options, "base.raw", "raw");
  g_autofree char *middle = path_of ("two");
  create ("two", options, "./one", "qcow2");
  create ("three", options, middle, "qcow2");
  assert_chain ("none", (const char *const[]){ NULL });
  assert_chain ("one", (const char *const[]){ "base.raw:raw", NULL });
  assert_chain ("two", (const char *const[]){ "one:qcow2", "base.raw:raw", NULL });
  assert_chain ("three", (const char *const[]){ "two:qcow2", "one:qcow2", "base.raw:raw", NULL });
}

/* A relative name is relative to the image that holds it, not to us. */
static void
test_relative (void)
{
  if (!has_qemu_img ())
    return;
  g_autofree char *sub = path_of ("sub");
  g_assert_cmpint (mkdir (sub, 0700), ==, 0);
  create ("top", "compat=1.1", "sub/middle", "qcow2");
  create ("sub/middle", "compat=1.1", "../base.raw", "raw");
  assert_chain ("top", (const char *const[]){ "sub/middle:qcow2", "base.raw:raw", NULL });
  create ("odd", "compat=1.1", "./a:b", "raw");
  assert_chain ("odd", (const char *const[]){ "a:b:raw", NULL });
}

static void
test_raw (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) chain = stasis_disk_chain_read ("/no/such/file", "raw", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (chain->len, ==, 0);
  stasis_disk_link_free (NULL);
}

static void
test_loop (void)
{
  if (!has_qemu_img ())
    return;
  create ("left", "compat=1.1", "right", "qcow2");
  create ("right", "compat=1.1", "left", "qcow2");
  assert_refused ("left", STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, "too many");
  create ("self", "compat=1.1", "self", "qcow2");
  assert_refused ("self", STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, "on itself");
}

static void
test_data_file (void)
{
  if (!has_qemu_img ())
    return;
  g_autofree char *data = path_of ("data.raw");
  g_autofree char *options = g_strdup_printf ("data_file=%s", data);
  create ("with-data", options, NULL, NULL);
  assert_refused ("with-data", STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, "another file");
  create ("upon", "compat=1.1", "with-data", "qcow2");
  assert_refused ("upon", STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, "with-data'");
}

/* What stands in the files below. */
typedef struct
{
  guint32 version;
  guint32 header_length; /* 0: 104 */
  guint64 features;
  guint64 name_offset;  /* 0: behind the extensions */
  guint32 name_length;  /* 0: of the name */
  const char *name;     /* NULL: no backing file */
  const char *format;   /* NULL: none stated */
  guint32 other;        /* octets of an extension in front of it */
  guint32 other_length; /* what it says of itself; 0: the truth */
} Header;

static void
put32 (GByteArray *to, guint at, guint32 value)
{
  value = GUINT32_TO_BE (value);
  memcpy (to->data + at, &value, sizeof value);
}

static void
put64 (GByteArray *to, guint at, guint64 value)
{
  value = GUINT64_TO_BE (value);
  memcpy (to->data + at, &value, sizeof value);
}

static void
add_extension (GByteArray *to, guint32 type, guint32 length, const void *octets, guint size)
{
  const guint at = to->len;
  g_byte_array_set_size (to, at + 8 + (size + 7) / 8 * 8);
  memset (to->data + at, 0, to->len - at);
  put32 (to, at, type);
  put32 (to, at + 4, length);
  if (size > 0)
    memcpy (to->data + at + 8, octets, size);
}

static GByteArray *
make_header (const Header *h)
{
  GByteArray *to = g_byte_array_new ();
  const guint length = h->version == 2 ? 72 : 104;
  g_byte_array_set_size (to, length);
  memset (to->data, 0, length);
  memcpy (to->data, "QFI\xfb", 4);
  put32 (to, 4, h->version);
  put32 (to, 20, 16);
  put64 (to, 24, 1048576);
  if (h->version != 2)
    {
      put64 (to, 72, h->features);
      put32 (to, 100, h->header_length != 0 ? h->header_length : length);
    }
  g_autofree char *blob = g_malloc0 (h->other + 1);
  if (h->other > 0)
    add_extension (to, 0x12345678, h->other_length != 0 ? h->other_length : h->other, blob,
                   h->other);
  if (h->format != NULL)
    {
      const guint size = (guint) strlen (h->format);
      add_extension (to, 0xe2792aca, size, h->format, size);
    }
  add_extension (to, 0, 0, NULL, 0);
  if (h->name != NULL)
    {
      put64 (to, 8, h->name_offset != 0 ? h->name_offset : to->len);
      put32 (to, 16, h->name_length != 0 ? h->name_length : (guint32) strlen (h->name));
      g_byte_array_append (to, (const guint8 *) h->name, (guint) strlen (h->name));
    }
  return to;
}

typedef struct
{
  const char *test;
  Header header;
  const char *chain; /* NULL: refused */
  const char *fault; /* NULL: by the system */
} MadeCase;

#define PLAIN     "plain file name"
#define NO_FORMAT "does not say the format"
#define LONG_NAME 1024

static const MadeCase made_cases[] = {
  { "v2", { .version = 2, .name = "b", .format = "raw" }, "b:raw", NULL },
  { "v3", { .version = 3, .name = "b", .format = "raw" }, "b:raw", NULL },
  { "v1", { .version = 1 }, NULL, "version 2 or 3" },
  { "v4", { .version = 4 }, NULL, "version 2 or 3" },
  { "no-backing", { .version = 3 }, "", NULL },
  { "no-name", { .version = 3, .name = "", .format = "raw" }, "", NULL },
  { "behind-another-extension",
    { .version = 3, .name = "b", .format = "raw", .other = 13 },
    "b:raw",
    NULL },
  { "data-file", { .version = 3, .features = 4 }, NULL, "another file" },
  { "dirty", { .version = 3, .features = 1, .name = "b", .format = "raw" }, "b:raw", NULL },
  { "no-format", { .version = 3, .name = "b" }, NULL, NO_FORMAT },
  { "no-format-v2", { .version = 2, .name = "b" }, NULL, NO_FORMAT },
  { "empty-format", { .version = 3, .name = "b", .format = "" }, NULL, NO_FORMAT },
  { "long-format", { .version = 3, .name = "b", .format = "0123456789abcdef" }, NULL, NO_FORMAT },
  { "json", { .version = 3, .name = "json:{\"driver\":\"file\"}", .format = "raw" }, NULL, PLAIN },
  { "nbd-url", { .version = 3, .name = "nbd://host/x", .format = "raw" }, NULL, PLAIN },
  { "nbd", { .version = 3, .name = "nbd:host:10809", .format = "raw" }, NULL, PLAIN },
  { "file-protocol", { .version = 3, .name = "file:base", .format = "raw" }, NULL, PLAIN },
  { "fat", { .version = 3, .name = "fat:rw:/etc", .format = "raw" }, NULL, PLAIN },
  { "dot-protocol", { .version = 3, .name = ".x:y", .format = "raw" }, NULL, PLAIN },
  { "colon-in-the-file-name",
    { .version = 3, .name = "a/b:c", .format = "raw" },
    "a/b:c:raw",
    NULL },
  { "nul-inside",
    { .version = 3, .name = "b", .name_length = 2, .format = "raw", .name_offset = 4 },
    NULL,
    PLAIN },
  { "longest-length",
    { .version = 3, .name = "b", .name_length = 1023, .format = "raw" },
    NULL,
    NULL },
  { "length-too-long",
    { .version = 3, .name = "b", .name_length = 1024, .format = "raw" },
    NULL,
    "too long" },
  { "length-of-32-bits",
    { .version = 3, .name = "b", .name_length = 0xffffffff, .format = "raw" },
    NULL,
    "too long" },
  { "name-beyond-the-end",
    { .version = 3, .name = "b", .name_offset = 1 << 20, .format = "raw" },
    NULL,
    NULL },
  { "name-beyond-63-bits",
    { .version = 3, .name = "b", .name_offset = G_MAXUINT64, .format = "raw" },
    NULL,
    NULL },
  { "extensions-beyond-the-end",
    { .version = 3, .name = "b", .header_length = 0xfffffff8, .format = "raw" },
    NULL,
    NULL },
  { "extension-beyond-the-end",
    { .version = 3, .name = "b", .format = "raw", .other = 8, .other_length = 65536 },
    NULL,
    NULL },
  { "header-too-short", { .version = 3, .header_length = 96 }, NULL, "too short" },
  { "extension-too-long",
    { .version = 3, .name = "b", .format = "raw", .other = 8, .other_length = 0xffffffff },
    NULL,
    NO_FORMAT },
};

static void
test_made (gconstpointer data)
{
  const MadeCase *c = data;
  g_autoptr (GByteArray) octets = make_header (&c->header);
  g_autofree char *path = scratch_file (folder, "made", octets->data, octets->len);
  if (c->chain != NULL && *c->chain != '\0')
    assert_chain ("made", (const char *const[]){ c->chain, NULL });
  else if (c->chain != NULL)
    assert_chain ("made", (const char *const[]){ NULL });
  else if (c->fault != NULL)
    assert_refused ("made", STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, c->fault);
  else
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (stasis_disk_chain_read (path, "qcow2", &error));
      g_assert_nonnull (error);
      g_assert_cmpuint (error->domain, ==, G_IO_ERROR);
      g_assert_nonnull (strstr (error->message, path));
    }
}

/* Each cut before the last octet is noticed and names the file. */
static void
test_every_prefix (void)
{
  for (guint32 version = 2; version <= 3; version++)
    {
      const Header header = { .version = version, .name = "base", .format = "raw", .other = 3 };
      g_autoptr (GByteArray) octets = make_header (&header);
      for (guint n = 0; n < octets->len; n++)
        {
          g_free (scratch_file (folder, "cut", octets->data, n));
          assert_refused ("cut", G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT, "ends early");
        }
    }
}

/* A name that QEMU's own limit allows, and one longer; qemu-img refuses to make it. */
static void
test_name_length (void)
{
  char name[LONG_NAME + 1];
  memset (name, 'n', sizeof name);
  name[LONG_NAME] = '\0';
  Header header = { .version = 3, .name = name + 1, .format = "raw" };
  g_autoptr (GByteArray) fits = make_header (&header);
  g_free (scratch_file (folder, "fits", fits->data, fits->len));
  g_autofree char *link = g_strconcat (name + 1, ":raw", NULL);
  assert_chain ("fits", (const char *const[]){ link, NULL });

  header.name = name;
  g_autoptr (GByteArray) longer = make_header (&header);
  g_free (scratch_file (folder, "longer", longer->data, longer->len));
  assert_refused ("longer", STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, "too long");
}

/* The format's limit on the length of a chain: 64 links fit, 65 do not. */
static void
test_long_chain (void)
{
  for (guint i = 0; i <= STASIS_DISK_CHAIN_MAX; i++)
    {
      g_autofree char *name = g_strdup_printf ("link%u", i);
      g_autofree char *below = g_strdup_printf ("link%u", i - 1);
      const Header header
          = { .version = 3, .name = i > 0 ? below : NULL, .format = i > 0 ? "qcow2" : NULL };
      g_autoptr (GByteArray) octets = make_header (&header);
      g_free (scratch_file (folder, name, octets->data, octets->len));
    }
  g_autofree char *fits = path_of ("link64");
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) chain = stasis_disk_chain_read (fits, "qcow2", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (chain->len, ==, 64);

  const Header header = { .version = 3, .name = "link64", .format = "qcow2" };
  g_autoptr (GByteArray) octets = make_header (&header);
  g_free (scratch_file (folder, "link65", octets->data, octets->len));
  assert_refused ("link65", STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, "too many");
}

static void
test_no_image (void)
{
  g_free (scratch_text (folder, "text",
                        "This is no image of any kind, but it is long enough to "
                        "be one, were it not for its beginning."));
  assert_refused ("text", STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, "is not a qcow2 image");
  assert_refused ("missing", G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "missing");

  /* Nobody writes into this one: opening it must not wait for somebody to do so. */
  g_autofree char *fifo = path_of ("fifo");
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  assert_refused ("fifo", STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, "neither");
  g_autofree char *sub = path_of ("a-folder");
  g_assert_cmpint (mkdir (sub, 0700), ==, 0);
  assert_refused ("a-folder", STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, "neither");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  folder = scratch_new ();
  g_test_add_data_func ("/driver/disk-chain/depths/v3", "compat=1.1", test_depths);
  g_test_add_data_func ("/driver/disk-chain/depths/v2", "compat=0.10", test_depths);
  g_test_add_func ("/driver/disk-chain/relative", test_relative);
  g_test_add_func ("/driver/disk-chain/raw", test_raw);
  g_test_add_func ("/driver/disk-chain/loop", test_loop);
  g_test_add_func ("/driver/disk-chain/data-file", test_data_file);
  for (gsize i = 0; i < G_N_ELEMENTS (made_cases); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/disk-chain/made/", made_cases[i].test, NULL);
      g_test_add_data_func (test, &made_cases[i], test_made);
    }
  g_test_add_func ("/driver/disk-chain/every-prefix", test_every_prefix);
  g_test_add_func ("/driver/disk-chain/name-length", test_name_length);
  g_test_add_func ("/driver/disk-chain/long-chain", test_long_chain);
  g_test_add_func ("/driver/disk-chain/no-image", test_no_image);
  const int result = g_test_run ();
  scratch_remove (folder);
  return result;
}
