/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known-hosts-test.c: tests of src/transport/known-hosts.c
 */

#include "config.h"

#include "transport/known-hosts.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

/* Keys whose octets are their kind and this; enough for what is told apart here. */
#define KIND_A "ssh-ed25519"
#define KIND_B "ecdsa-sha2-nistp256"

static GBytes *
make_key (const char *kind, const char *rest)
{
  g_autoptr (GByteArray) octets = g_byte_array_new ();
  const guint32 length = GUINT32_TO_BE ((guint32) strlen (kind));
  g_byte_array_append (octets, (const guint8 *) &length, 4);
  g_byte_array_append (octets, (const guint8 *) kind, (guint) strlen (kind));
  g_byte_array_append (octets, (const guint8 *) rest, (guint) strlen (rest));
  return g_byte_array_free_to_bytes (g_steal_pointer (&octets));
}

/* "kind base64" */
static char *
written (const char *kind, const char *rest)
{
  g_autoptr (GBytes) key = make_key (kind, rest);
  g_autofree char *base64 = g_base64_encode (g_bytes_get_data (key, NULL), g_bytes_get_size (key));
  return g_strdup_printf ("%s %s", kind, base64);
}

/* %A: the key that is asked about; %B: another one of its kind; %C: one of another kind. */
typedef struct
{
  const char *name;
  const char *text;
  StasisKnownHost known;
  guint line;
} Case;

static const Case cases[] = {
  { "empty", "", STASIS_KNOWN_HOST_UNKNOWN, 0 },
  { "match", "host %A\n", STASIS_KNOWN_HOST_MATCH, 1 },
  { "no-newline", "host %A", STASIS_KNOWN_HOST_MATCH, 1 },
  { "crlf", "host %A\r\n", STASIS_KNOWN_HOST_MATCH, 1 },
  { "comment-behind", "host %A root@host and more\n", STASIS_KNOWN_HOST_MATCH, 1 },
  { "tabs", "\thost\t %A\n", STASIS_KNOWN_HOST_MATCH, 1 },
  { "upper-case", "HOST %A\n", STASIS_KNOWN_HOST_MATCH, 1 },
  { "list", "a,host,b %A\n", STASIS_KNOWN_HOST_MATCH, 1 },
  { "third-line", "# host %B\n\nhost %A\n", STASIS_KNOWN_HOST_MATCH, 3 },
  { "other-host", "hosts %A\nhos %A\nhost.b %A\n", STASIS_KNOWN_HOST_UNKNOWN, 0 },
  { "with-port", "[host]:22 %A\n", STASIS_KNOWN_HOST_UNKNOWN, 0 },
  { "star", "h*t %A\n", STASIS_KNOWN_HOST_MATCH, 1 },
  { "all", "* %A\n", STASIS_KNOWN_HOST_MATCH, 1 },
  { "stars", "**h**t** %A\n", STASIS_KNOWN_HOST_MATCH, 1 },
  { "question-mark", "h??t %A\n", STASIS_KNOWN_HOST_MATCH, 1 },
  { "too-many-question-marks", "h???t %A\n", STASIS_KNOWN_HOST_UNKNOWN, 0 },
  { "but-not", "*,!host %A\n", STASIS_KNOWN_HOST_UNKNOWN, 0 },
  { "but-not-first", "!host,* %A\n", STASIS_KNOWN_HOST_UNKNOWN, 0 },
  { "but-not-others", "*,!other %A\n", STASIS_KNOWN_HOST_MATCH, 1 },
  { "mismatch", "host %B\n", STASIS_KNOWN_HOST_MISMATCH, 1 },
  { "first-mismatch", "\nhost %B\nhost %B\n", STASIS_KNOWN_HOST_MISMATCH, 2 },
  { "mismatch-and-match", "host %B\nhost %A\nhost %B\n", STASIS_KNOWN_HOST_MATCH, 2 },
  { "other-kind", "host %C\n", STASIS_KNOWN_HOST_OTHER_KIND, 1 },
  { "other-kind-and-mismatch", "host %C\nhost %B\n", STASIS_KNOWN_HOST_MISMATCH, 2 },
  { "other-kind-and-match", "host %C\nhost %A\n", STASIS_KNOWN_HOST_MATCH, 2 },
  { "revoked", "@revoked host %A\n", STASIS_KNOWN_HOST_REVOKED, 1 },
  { "revoked-later", "host %A\n@revoked * %A\n", STASIS_KNOWN_HOST_REVOKED, 2 },
  { "revoked-before", "@revoked * %A\nhost %A\n", STASIS_KNOWN_HOST_REVOKED, 1 },
  { "revoked-other", "@revoked * %B\nhost %A\n", STASIS_KNOWN_HOST_MATCH, 2 },
  { "revoked-other-only", "@revoked host %B\n", STASIS_KNOWN_HOST_UNKNOWN, 0 },
  { "authority", "@cert-authority * %A\n", STASIS_KNOWN_HOST_UNKNOWN, 0 },
  { "unknown-marker", "@else host %A\n", STASIS_KNOWN_HOST_UNKNOWN, 0 },
  { "no-key", "host\nhost ssh-ed25519\n@revoked\n@revoked host\n", STASIS_KNOWN_HOST_UNKNOWN, 0 },
  { "no-base64", "host ssh-ed25519 !!!!\n", STASIS_KNOWN_HOST_UNKNOWN, 0 },
  { "kind-of-another", "host ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA\n", STASIS_KNOWN_HOST_UNKNOWN, 0 },
  /* ssh-keygen -H made it of 'host'. */
  { "hashed", "|1|WDrYGMb2EfjUTh6gHNgCIWMCG9k=|HASH %A\n", STASIS_KNOWN_HOST_MATCH, 1 },
  { "hashed-other", "|1|XDrYGMb2EfjUTh6gHNgCIWMCG9k=|HASH %A\n", STASIS_KNOWN_HOST_UNKNOWN, 0 },
  { "hashed-cut", "|1|WDrYGMb2EfjUTh6gHNgCIWMCG9k= %A\n|1| %A\n|1|| %A\n|2|a|b %A\n",
    STASIS_KNOWN_HOST_UNKNOWN, 0 },
};

/* HASH of 'host' by the salt above, computed anew: HMAC-SHA1. */
static char *
hash_of_host (void)
{
  gsize size;
  guint8 digest[20];
  g_autofree guchar *salt = g_base64_decode ("WDrYGMb2EfjUTh6gHNgCIWMCG9k=", &size);
  g_autoptr (GHmac) hmac = g_hmac_new (G_CHECKSUM_SHA1, salt, size);
  g_hmac_update (hmac, (const guchar *) "host", 4);
  size = sizeof digest;
  g_hmac_get_digest (hmac, digest, &size);
  return g_base64_encode (digest, size);
}

/* With the keys in their places. */
static char *
expand (const char *text)
{
  g_autofree char *a = written (KIND_A, "one");
  g_autofree char *b = written (KIND_A, "two");
  g_autofree char *c = written (KIND_B, "three");
  g_autofree char *hash = hash_of_host ();
  g_autoptr (GString) out = g_string_new (text);
  g_string_replace (out, "HASH", hash, 0);
  g_string_replace (out, "%A", a, 0);
  g_string_replace (out, "%B", b, 0);
  g_string_replace (out, "%C", c, 0);
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static void
test_case (gconstpointer data)
{
  const Case *one = data;
  const char *path;
  guint line;
  g_autofree char *text = expand (one->text);
  g_autoptr (GBytes) key = make_key (KIND_A, "one");
  g_autoptr (StasisKnownHosts) hosts = stasis_known_hosts_parse ("file", text, strlen (text));
  g_assert_cmpint (stasis_known_hosts_check (hosts, "host", key, &path, &line), ==, one->known);
  g_assert_cmpuint (line, ==, one->line);
  g_assert_cmpstr (path, ==, one->line != 0 ? "file" : NULL);
}

/* A pattern of many stars takes no time worth speaking of: this one would never end by trying all.
 */
static void
test_stars (void)
{
  g_autofree char *key_text = written (KIND_A, "one");
  g_autofree char *name = g_strnfill (255, 'a');
  g_autoptr (GString) text = g_string_new (NULL);
  for (guint i = 0; i < 5000; i++)
    g_string_append (text, "*a");
  g_string_append_printf (text, "*b %s\n", key_text);
  const char *path;
  guint line;
  g_autoptr (GBytes) key = make_key (KIND_A, "one");
  g_autoptr (StasisKnownHosts) hosts = stasis_known_hosts_parse ("file", text->str, text->len);
  g_assert_cmpint (stasis_known_hosts_check (hosts, name, key, &path, &line), ==,
                   STASIS_KNOWN_HOST_UNKNOWN);
}

static void
test_long_line (void)
{
  g_autofree char *key_text = written (KIND_A, "one");
  g_autofree char *filling = g_strnfill (70000, 'x');
  g_autofree char *text = g_strdup_printf ("host %s %s\nhost %s\n", key_text, filling, key_text);
  const char *path;
  guint line;
  g_autoptr (GBytes) key = make_key (KIND_A, "one");
  g_autoptr (StasisKnownHosts) hosts = stasis_known_hosts_parse ("file", text, strlen (text));
  g_assert_cmpint (stasis_known_hosts_check (hosts, "host", key, &path, &line), ==,
                   STASIS_KNOWN_HOST_MATCH);
  g_assert_cmpuint (line, ==, 2);
}

static void
test_names (void)
{
  g_autofree char *plain = stasis_known_hosts_name ("Host.Example", 22);
  g_autofree char *port = stasis_known_hosts_name ("Host.Example", 2222);
  g_autofree char *address = stasis_known_hosts_name ("FE80::1", 2222);
  g_assert_cmpstr (plain, ==, "host.example");
  g_assert_cmpstr (port, ==, "[host.example]:2222");
  g_assert_cmpstr (address, ==, "[fe80::1]:2222");
}

static void
test_kinds (void)
{
  g_autofree char *text = expand ("host %C\nother %A\nhost %A\nhost %B\n@revoked host %A\n");
  g_autoptr (StasisKnownHosts) hosts = stasis_known_hosts_parse ("file", text, strlen (text));
  g_autoptr (GPtrArray) kinds = stasis_known_hosts_kinds (hosts, "host");
  g_assert_cmpuint (kinds->len, ==, 2);
  g_assert_cmpstr (g_ptr_array_index (kinds, 0), ==, KIND_B);
  g_assert_cmpstr (g_ptr_array_index (kinds, 1), ==, KIND_A);
}

/* What is no key has no kind, whatever it claims of its length. */
static void
test_kind (void)
{
  static const char *const octets[] = { "\0\0\0\0x",   "\377\377\377\377ssh", "\0\0\0\4ssh",
                                        "\0\0\0\3a b", "\0\0\0\3a\nb",        "\0\0\0" };
  static const gsize sizes[] = { 5, 7, 7, 7, 7, 3 };
  for (guint i = 0; i < G_N_ELEMENTS (octets); i++)
    {
      g_autoptr (GBytes) key = g_bytes_new_static (octets[i], sizes[i]);
      g_assert_null (stasis_known_hosts_kind (key));
    }
  g_autoptr (GBytes) none = g_bytes_new (NULL, 0);
  g_assert_null (stasis_known_hosts_kind (none));
}

static void
test_files (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("known-hosts-XXXXXX", &error);
  g_assert_no_error (error);
  g_autofree char *path = g_build_filename (folder, "new", "known_hosts", NULL);
  g_autofree char *inner = g_path_get_dirname (path);
  g_autoptr (GBytes) key = make_key (KIND_A, "one");
  g_assert_true (stasis_known_hosts_append (path, "host", key, &error));
  g_assert_no_error (error);
  /* A last line that is not ended is not gone on with. */
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, &error));
  text[strlen (text) - 1] = '\0';
  g_assert_true (g_file_set_contents (path, text, -1, &error));
  g_assert_true (stasis_known_hosts_append (path, "other", key, &error));
  const char *const paths[] = { "/nowhere/known_hosts", path, NULL };
  g_autoptr (StasisKnownHosts) hosts = stasis_known_hosts_load (paths, &error);
  g_assert_no_error (error);
  const char *where;
  guint line;
  g_assert_cmpint (stasis_known_hosts_check (hosts, "host", key, &where, &line), ==,
                   STASIS_KNOWN_HOST_MATCH);
  g_assert_cmpuint (line, ==, 1);
  g_assert_cmpint (stasis_known_hosts_check (hosts, "other", key, &where, &line), ==,
                   STASIS_KNOWN_HOST_MATCH);
  g_assert_cmpuint (line, ==, 2);
  g_assert_cmpstr (where, ==, path);
  const char *const folders[] = { folder, NULL };
  g_assert_null (stasis_known_hosts_load (folders, &error));
  g_assert_nonnull (error);
  g_assert_cmpint (g_remove (path), ==, 0);
  g_assert_cmpint (g_rmdir (inner), ==, 0);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/transport/known-hosts/check/", cases[i].name, NULL);
      g_test_add_data_func (path, &cases[i], test_case);
    }
  g_test_add_func ("/transport/known-hosts/stars", test_stars);
  g_test_add_func ("/transport/known-hosts/long-line", test_long_line);
  g_test_add_func ("/transport/known-hosts/names", test_names);
  g_test_add_func ("/transport/known-hosts/kinds", test_kinds);
  g_test_add_func ("/transport/known-hosts/kind", test_kind);
  g_test_add_func ("/transport/known-hosts/files", test_files);
  return g_test_run ();
}
