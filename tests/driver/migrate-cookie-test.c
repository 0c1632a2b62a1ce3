/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-cookie-test.c: tests of src/driver/migrate-cookie.c and migrate-cookie-parse.c
 */

#include "config.h"

#include "driver/migrate-cookie.h"

#include <stasis/error.h>
#include <string.h>

#define TOKEN "0123456789abcdef0123456789abcdef"
#define QEMU \
  "{\"emulator\":\"/usr/bin/qemu-system-x86_64\",\"version\":\"10.0.2\"," \
  "\"machine\":\"pc-i440fx-10.0\",\"accelerator\":\"tcg\",\"run-state\":\"running\"," \
  "\"capabilities\":[\"events\"],\"cpu\":{\"model\":\"max\",\"props\":{\"sse2\":true}}}"
#define HEAD    "{\"stasis-migration\":1,\"token\":\"" TOKEN "\""
#define PREPARE ",\"prepare\":{\"dest\":{\"name\":\"b\"},\"capabilities\":[]"
#define NAME_16 "0123456789abcdef"
#define BEGIN \
  "\"source\":{\"name\":\"a\"},\"name\":\"web\"," \
  "\"uuid\":\"d0010203-0405-4607-8809-0a0b0c0d0e0f\",\"qemu\":" QEMU ",\"memory-kib\":262144"
#define DISK "\"path\":\"/d\",\"format\":\"raw\",\"writable\":true,\"copied\":false"

static StasisMigrateCookie *
make_full (void)
{
  StasisMigrateCookie *cookie = stasis_migrate_cookie_new (NULL);
  StasisMigrateBegin *begin = stasis_migrate_cookie_add_begin (cookie);
  begin->source.name = g_strdup ("alpha");
  begin->source.uuid = g_strdup ("11111111-2222-4333-8444-555555555555");
  begin->source.boot_id = g_strdup ("66666666-2222-4333-8444-555555555555");
  begin->source.state = g_strdup ("12345678");
  begin->name = g_strdup ("web");
  begin->uuid = g_strdup ("d0010203-0405-4607-8809-0a0b0c0d0e0f");
  begin->qemu = stasis_json_parse (QEMU, -1, NULL);
  begin->memory_kib = 262144;
  begin->offers = g_strsplit ("switchover-ack", ",", -1);
  begin->devices = g_strsplit ("tpm,store", ",", -1);
  begin->persistent = g_strdup ("<domain>\"'&amp;\n</domain>");
  begin->time_us = 1234567890123456;
  StasisMigrateDisk *disk = stasis_migrate_begin_add_disk (begin);
  disk->target = g_strdup ("vda");
  disk->path = g_strdup ("/disks/\xff odd name");
  disk->format = g_strdup ("qcow2");
  disk->size = 1 << 30;
  disk->is_writable = TRUE;
  disk->is_copied = TRUE;
  disk->backing = g_strdup ("/disks/\xfe base");
  disk->backing_format = g_strdup ("raw");
  disk->fs_type = g_strdup ("ext");
  disk->fs_id = g_strdup ("0badcafe");
  disk->inode = G_MAXUINT64;
  StasisMigratePrepare *prepare = stasis_migrate_cookie_add_prepare (cookie);
  prepare->dest.name = g_strdup ("beta");
  prepare->capabilities = g_strsplit ("events,return-path", ",", -1);
  prepare->addresses = g_strsplit ("tcp:[::1]:49152,unix:/a", ",", -1);
  prepare->door = g_strdup ("tcp:[::1]:49153");
  prepare->secret = g_strnfill (64, 'a');
  prepare->nbd = g_strdup ("tcp:[::1]:49154");
  StasisMigrateExport *export = stasis_migrate_prepare_add_export (prepare);
  export->target = g_strdup ("vda");
  export->name = g_strdup ("disk-vda");
  StasisMigrateFinal *final = stasis_migrate_cookie_add_final (cookie);
  final->has_begun = TRUE;
  final->source_run_us = -1;
  final->stats = stasis_json_parse ("{\"state\":\"completed\"}", -1, NULL);
  return cookie;
}

static GBytes *
format (const StasisMigrateCookie *cookie)
{
  g_autoptr (GError) error = NULL;
  GBytes *octets = stasis_migrate_cookie_format (cookie, NULL, &error);
  g_assert_no_error (error);
  return octets;
}

static StasisMigrateCookie *
parse (const char *text, gsize size)
{
  g_autoptr (GError) error = NULL;
  /* Of exactly this size, so that one octet too far is seen. */
  g_autofree char *exact = g_memdup2 (text, size);
  StasisMigrateCookie *cookie = stasis_migrate_cookie_parse (exact, size, &error);
  g_assert_no_error (error);
  g_assert_nonnull (cookie);
  return cookie;
}

static void
test_round_trip (void)
{
  g_autoptr (StasisMigrateCookie) cookie = make_full ();
  g_autoptr (GBytes) octets = format (cookie);
  gsize size = 0;
  const char *text = g_bytes_get_data (octets, &size);
  g_autoptr (StasisMigrateCookie) read = parse (text, size);
  g_autoptr (GBytes) again = format (read);
  g_assert_true (g_bytes_equal (octets, again));

  g_assert_cmpstr (read->token, ==, cookie->token);
  g_assert_cmpstr (read->begin->source.boot_id, ==, cookie->begin->source.boot_id);
  g_assert_cmpstr (read->begin->persistent, ==, cookie->begin->persistent);
  g_assert_cmpstr (read->begin->devices[1], ==, "store");
  g_assert_cmpstr (read->begin->offers[0], ==, "switchover-ack");
  g_assert_cmpint (read->begin->time_us, ==, 1234567890123456);
  const StasisMigrateDisk *disk = g_ptr_array_index (read->begin->disks, 0);
  g_assert_cmpstr (disk->path, ==, "/disks/\xff odd name");
  g_assert_cmpstr (disk->backing, ==, "/disks/\xfe base");
  g_assert_cmpstr (disk->backing_format, ==, "raw");
  g_assert_cmpuint (disk->inode, ==, G_MAXUINT64);
  g_assert_true (disk->is_copied);
  g_assert_cmpstr (read->prepare->addresses[1], ==, "unix:/a");
  g_assert_cmpstr (read->prepare->dest.name, ==, "beta");
  g_assert_null (read->prepare->dest.uuid);
  g_assert_cmpstr (read->prepare->secret, ==, cookie->prepare->secret);
  const StasisMigrateExport *export = g_ptr_array_index (read->prepare->exports, 0);
  g_assert_cmpstr (export->name, ==, "disk-vda");
  g_assert_true (read->final->has_begun);
  g_assert_cmpint (read->final->source_run_us, ==, -1);
}

/* Cut anywhere it is refused. */
static void
test_prefixes (void)
{
  g_autoptr (StasisMigrateCookie) cookie = make_full ();
  g_autoptr (GBytes) octets = format (cookie);
  gsize size = 0;
  const char *text = g_bytes_get_data (octets, &size);
  for (gsize cut = 0; cut < size; cut++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *exact = g_memdup2 (text, cut);
      g_assert_null (stasis_migrate_cookie_parse (exact, cut, &error));
      g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT);
    }
}

static void
test_tokens (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrateCookie) one = stasis_migrate_cookie_new (NULL);
  g_autoptr (StasisMigrateCookie) other = stasis_migrate_cookie_new (NULL);
  g_autoptr (StasisMigrateCookie) same = stasis_migrate_cookie_new (one->token);
  g_assert_cmpuint (strlen (one->token), ==, STASIS_MIGRATE_TOKEN_DIGITS);
  g_assert_cmpstr (one->token, !=, other->token);
  g_assert_true (stasis_migrate_cookie_check_token (same, one->token, &error));
  g_assert_false (stasis_migrate_cookie_check_token (other, one->token, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT);
}

/* What a later version says besides. */
static void
test_unknown (void)
{
  const char text[] = HEAD ",\"must\":[\"begin.qemu\",\"final\",\"token\"],\"later\":{\"a\":[1]},"
                           "\"begin\":{" BEGIN ",\"disks\":[],\"colour\":7}}";
  g_autoptr (StasisMigrateCookie) cookie = parse (text, strlen (text));
  g_assert_cmpstr (cookie->begin->name, ==, "web");
  g_assert_null (cookie->prepare);
}

static void
test_must (void)
{
  static const char *const must[] = { "begin.devices", NULL };
  g_autoptr (StasisMigrateCookie) cookie = make_full ();
  g_autoptr (GBytes) octets = stasis_migrate_cookie_format (cookie, must, NULL);
  gsize size = 0;
  const char *text = g_bytes_get_data (octets, &size);
  g_autoptr (StasisMigrateCookie) read = parse (text, size);
  g_autofree char *copy = g_strndup (text, size);
  g_assert_nonnull (strstr (copy, "\"must\":[\"begin.devices\"]"));
}

static void
test_too_large (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrateCookie) cookie = make_full ();
  g_free (cookie->begin->persistent);
  cookie->begin->persistent = g_strnfill (STASIS_MIGRATE_COOKIE_SIZE_MAX, 'a');
  g_assert_null (stasis_migrate_cookie_format (cookie, NULL, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);

  g_autofree char *large = g_strnfill (STASIS_MIGRATE_COOKIE_SIZE_MAX + 1, ' ');
  g_assert_null (stasis_migrate_cookie_parse (large, STASIS_MIGRATE_COOKIE_SIZE_MAX + 1, &error));
  g_assert_nonnull (strstr (error->message, "the limit"));
}

static void
assert_many (const char *head, const char *what, guint count, const char *tail, const char *says)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) text = g_string_new (head);
  for (guint i = 0; i < count; i++)
    g_string_append (text, what);
  g_string_append (text, tail);
  g_assert_null (stasis_migrate_cookie_parse (text->str, text->len, &error));
  g_test_message ("%s", error->message);
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull (strstr (error->message, says));
}

static void
test_limits (void)
{
  assert_many (HEAD ",\"x\":[0", ",0", 20000, "]}", "too many values");
  assert_many (HEAD ",\"x\":", "[", 100, "", "too deeply");
  assert_many (HEAD ",\"begin\":{" BEGIN ",\"devices\":[\"a\"", ",\"a\"", 2000, "],\"disks\":[]}}",
               "too long");
  assert_many (HEAD ",\"begin\":{\"source\":{\"name\":\"", "a", 5000, "\"}}}", "too long");
}

typedef struct
{
  const char *test;
  const char *text;
  int code;
  const char *says;
} Bad;

#define INVALID STASIS_ERROR_INVALID_ARGUMENT

static const Bad bads[] = {
  { "none", "", INVALID, "there is none" },
  { "libvirt", "<qemu-migration>\n</qemu-migration>", INVALID, "libvirt's" },
  { "libvirt-spaced", "\n  <qemu-migration/>", INVALID, "libvirt's" },
  { "text", "hello", INVALID, "none of stasis's" },
  { "spaces", "   ", INVALID, "none of stasis's" },
  { "array", "[1]", INVALID, "none of stasis's" },
  { "foreign", "{\"other\":1}", INVALID, "none of stasis's" },
  { "version", "{\"stasis-migration\":2}", STASIS_ERROR_UNSUPPORTED, "version 2" },
  { "no-token", "{\"stasis-migration\":1}", INVALID, "'token'" },
  { "short-token", "{\"stasis-migration\":1,\"token\":\"01\"}", INVALID, "'token'" },
  { "upper-token", "{\"stasis-migration\":1,\"token\":\"0123456789ABCDEF0123456789ABCDEF\"}",
    INVALID, "'token'" },
  { "must", HEAD ",\"must\":[\"begin.colour\"]}", STASIS_ERROR_UNSUPPORTED, "'begin.colour'" },
  { "must-section", HEAD ",\"must\":[\"beginning\"]}", STASIS_ERROR_UNSUPPORTED, "'beginning'" },
  { "must-kind", HEAD ",\"must\":1}", INVALID, "'must'" },
  { "section-kind", HEAD ",\"begin\":[]}", INVALID, "'begin'" },
  { "no-disks", HEAD ",\"begin\":{" BEGIN "}}", INVALID, "'disks'" },
  { "disk-kind", HEAD ",\"begin\":{" BEGIN ",\"disks\":[1]}}", INVALID, "'target'" },
  { "disk-target", HEAD ",\"begin\":{" BEGIN ",\"disks\":[{\"target\":\"../a\"," DISK "}]}}",
    INVALID, "target" },
  { "disk-path", HEAD ",\"begin\":{" BEGIN ",\"disks\":[{\"target\":\"vda\",\"path\":\"d\"}]}}",
    INVALID, "'path'" },
  { "disk-size",
    HEAD ",\"begin\":{" BEGIN ",\"disks\":[{\"target\":\"vda\"," DISK ",\"size\":-1}]}}", INVALID,
    "'size'" },
  { "disk-backing",
    HEAD ",\"begin\":{" BEGIN ",\"disks\":[{\"target\":\"vda\"," DISK ",\"backing\":\"/b\"}]}}",
    INVALID, "no format" },
  { "disk-backing-path",
    HEAD ",\"begin\":{" BEGIN ",\"disks\":[{\"target\":\"vda\"," DISK ",\"backing\":\"b\"}]}}",
    INVALID, "'backing'" },
  { "no-source", HEAD ",\"begin\":{\"name\":\"web\"}}", INVALID, "'source'" },
  { "name",
    HEAD ",\"begin\":{\"source\":{\"name\":\"a\"},\"name\":\"../web\",\"uuid\":\"\",\"qemu\":{},"
         "\"memory-kib\":1,\"disks\":[]}}",
    INVALID, "../web" },
  { "qemu",
    HEAD ",\"begin\":{\"source\":{\"name\":\"a\"},\"name\":\"web\",\"uuid\":"
         "\"d0010203-0405-4607-8809-0a0b0c0d0e0f\",\"qemu\":{},\"memory-kib\":1,\"disks\":[]}}",
    INVALID, "'emulator'" },
  { "prepare", HEAD ",\"prepare\":{\"dest\":{\"name\":\"b\"}}}", INVALID, "'capabilities'" },
  { "secret",
    HEAD ",\"prepare\":{\"dest\":{\"name\":\"b\"},\"capabilities\":[],\"secret\":\"../x\"}}",
    INVALID, "'secret'" },
  { "export-target", HEAD PREPARE ",\"exports\":[{\"target\":\"a b\",\"name\":\"x\"}]}}", INVALID,
    "target" },
  { "export-unnamed", HEAD PREPARE ",\"exports\":[{\"target\":\"vda\",\"name\":\"\"}]}}", INVALID,
    "export" },
  { "export-long",
    HEAD PREPARE ",\"exports\":[{\"target\":\"vda\",\"name\":\"" NAME_16 NAME_16 NAME_16 NAME_16
                 "x\"}]}}",
    INVALID, "export" },
  { "final", HEAD ",\"final\":{\"begun\":1}}", INVALID, "'begun'" },
};

static void
test_bad (gconstpointer data)
{
  const Bad *bad = data;
  g_autoptr (GError) error = NULL;
  const gsize size = strlen (bad->text);
  g_autofree char *exact = g_memdup2 (bad->text, size);
  g_assert_null (stasis_migrate_cookie_parse (exact, size, &error));
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_error (error, STASIS_ERROR, bad->code);
  g_assert_nonnull (strstr (error->message, bad->says));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/migrate-cookie/round-trip", test_round_trip);
  g_test_add_func ("/driver/migrate-cookie/prefixes", test_prefixes);
  g_test_add_func ("/driver/migrate-cookie/tokens", test_tokens);
  g_test_add_func ("/driver/migrate-cookie/unknown", test_unknown);
  g_test_add_func ("/driver/migrate-cookie/must", test_must);
  g_test_add_func ("/driver/migrate-cookie/too-large", test_too_large);
  g_test_add_func ("/driver/migrate-cookie/limits", test_limits);
  for (gsize i = 0; i < G_N_ELEMENTS (bads); i++)
    {
      g_autofree char *path = g_strconcat ("/driver/migrate-cookie/bad/", bads[i].test, NULL);
      g_test_add_data_func (path, &bads[i], test_bad);
    }
  return g_test_run ();
}
