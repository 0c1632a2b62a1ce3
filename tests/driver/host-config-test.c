/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-config-test.c: tests of src/driver/host-config.c
 */

#include "config.h"

#include "driver/host-config.h"

#include <stasis/error.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

static char *folder;

static StasisHostConfig *
load (const char *text)
{
  g_free (scratch_text (folder, "stasis.conf", text));
  g_autoptr (GError) error = NULL;
  StasisHostConfig *config = stasis_host_config_load (folder, &error);
  g_assert_no_error (error);
  return config;
}

static void
assert_defaults (const StasisHostConfig *config)
{
  g_assert_cmpstr (config->emulator, ==, "/usr/bin/qemu-system-x86_64");
  g_assert_true (g_strv_contains ((const char *const *) config->emulators, "/usr/bin/kvm"));
  g_assert_true (stasis_host_config_allows (config, "/usr/local/bin/qemu-system-aarch64"));
  g_assert_false (stasis_host_config_allows (config, "/usr/local/bin/evil"));
  g_assert_false (stasis_host_config_allows (config, "/usr/bin/env"));
  g_assert_cmpuint (g_hash_table_size (config->networks), ==, 0);
  g_assert_cmpuint (config->uid_base, ==, 2013265920u);
  g_assert_cmpuint (config->uid_count, ==, 65536);
  g_assert_false (config->guests.shuts_down);
  g_assert_false (config->guests.leaves_unsaved);
  g_assert_false (config->guests.ignores_at_boot);
  g_assert_cmpuint (config->guests.parallel, ==, 2);
  g_assert_cmpuint (config->guests.shutdown_timeout, ==, 300);
  g_assert_cmpuint (config->guests.start_delay, ==, 0);
  g_assert_false (config->hooks.is_off);
  g_assert_true (g_str_has_suffix (config->hooks.folder, "/hooks"));
  g_assert_cmpuint (config->hooks.timeout, ==, 30);
  g_assert_cmpuint (config->migrate_stall, ==, 60);
}

static void
test_defaults (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisHostConfig) none = stasis_host_config_load ("/no/such/folder", &error);
  g_assert_no_error (error);
  assert_defaults (none);
  g_autoptr (StasisHostConfig) empty = load ("");
  assert_defaults (empty);
  g_autoptr (StasisHostConfig) comment = load ("# nothing\n[emulators]\n[networks]\n[security]\n");
  assert_defaults (comment);
  stasis_host_config_free (NULL);
}

static void
test_every_key (void)
{
  g_autoptr (StasisHostConfig) config = load ("[emulators]\n"
                                              "default=/opt/q/qemu\n"
                                              "allowed=/opt/q/*;/usr/bin/kvm\n"
                                              "[networks]\n"
                                              "default=br0\n"
                                              "my net=br-lan\n"
                                              "[security]\n"
                                              "uid-base=500000\n"
                                              "uid-count=10\n"
                                              "[guests]\n"
                                              "on-shutdown=shutdown\n"
                                              "quiesce=yes\n"
                                              "if-not-saved=leave\n"
                                              "on-boot=ignore\n"
                                              "parallel=64\n"
                                              "shutdown-timeout=0\n"
                                              "start-delay=7\n"
                                              "[migration]\n"
                                              "host=here.example\n"
                                              "stall-timeout=17\n"
                                              "tls-dir=/keys\n"
                                              "tls-verify=no\n"
                                              "tls-required=yes\n"
                                              "[hooks]\n"
                                              "enabled=no\n"
                                              "folder=/etc/libvirt/hooks\n"
                                              "timeout=3600\n");
  g_assert_cmpstr (config->emulator, ==, "/opt/q/qemu");
  g_assert_cmpuint (g_strv_length (config->emulators), ==, 2);
  g_assert_cmpstr (config->emulators[0], ==, "/opt/q/*");
  g_assert_cmpstr (config->emulators[1], ==, "/usr/bin/kvm");
  g_assert_cmpuint (g_hash_table_size (config->networks), ==, 2);
  g_assert_cmpstr (g_hash_table_lookup (config->networks, "default"), ==, "br0");
  g_assert_cmpstr (g_hash_table_lookup (config->networks, "my net"), ==, "br-lan");
  g_assert_cmpuint (config->uid_base, ==, 500000);
  g_assert_cmpuint (config->uid_count, ==, 10);
  g_assert_true (config->guests.shuts_down);
  g_assert_true (config->guests.quiesces);
  g_assert_true (config->guests.leaves_unsaved);
  g_assert_true (config->guests.ignores_at_boot);
  g_assert_cmpuint (config->guests.parallel, ==, 64);
  g_assert_cmpuint (config->guests.shutdown_timeout, ==, 0);
  g_assert_cmpuint (config->guests.start_delay, ==, 7);
  g_assert_cmpstr (config->migrate_host, ==, "here.example");
  g_assert_cmpuint (config->migrate_stall, ==, 17);
  g_assert_cmpstr (config->tls_folder, ==, "/keys");
  g_assert_true (config->tls_trusts_all);
  g_assert_true (config->tls_is_needed);
  g_assert_true (config->hooks.is_off);
  g_assert_cmpstr (config->hooks.folder, ==, "/etc/libvirt/hooks");
  g_assert_cmpuint (config->hooks.timeout, ==, 3600);
}

/* The example that is installed: as it is, and with the '#' of each option taken away. */
static void
test_example (void)
{
  g_autofree char *path
      = g_test_build_filename (G_TEST_DIST, "..", "data", "examples", "stasis.conf", NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (StasisHostConfig) plain = load (text);
  assert_defaults (plain);

  g_autoptr (GRegex) option = g_regex_new ("^#([a-z-]+=)", G_REGEX_MULTILINE, 0, NULL);
  g_autofree char *all = g_regex_replace (option, text, -1, 0, "\\1", 0, NULL);
  static const char *const keys[]
      = { "\ndefault=/",  "\nallowed=",          "\ndefault=br0",   "\nuid-base=",
          "\nuid-count=", "\non-shutdown=",      "\nif-not-saved=", "\non-boot=",
          "\nparallel=",  "\nshutdown-timeout=", "\nstart-delay=",  "\nquiesce=",
          "\nenabled=",   "\nfolder=/",          "\ntimeout=",      "\nhost=" };
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    g_assert_nonnull (strstr (all, keys[i]));
  g_autoptr (StasisHostConfig) told = load (all);
  g_assert_cmpstr (told->emulator, ==, plain->emulator);
  g_assert_true (
      g_strv_equal ((const char *const *) told->emulators, (const char *const *) plain->emulators));
  g_assert_cmpuint (told->uid_base, ==, plain->uid_base);
  g_assert_cmpuint (told->uid_count, ==, plain->uid_count);
  g_assert_cmpmem (&told->guests, sizeof told->guests, &plain->guests, sizeof plain->guests);
  g_assert_cmpuint (told->hooks.timeout, ==, plain->hooks.timeout);
  g_assert_cmpint (told->hooks.is_off, ==, plain->hooks.is_off);
  g_assert_cmpstr (told->hooks.folder, ==, "/etc/stasis/hooks");
  g_assert_cmpstr (g_hash_table_lookup (told->networks, "default"), ==, "br0");
}

/* QEMU as the driver's own user; and the last users that there are. */
static void
test_uids (void)
{
  g_autoptr (StasisHostConfig) none = load ("[security]\nuid-count=0\n");
  g_assert_cmpuint (none->uid_count, ==, 0);
  g_autoptr (StasisHostConfig) last = load ("[security]\nuid-base=4294967294\nuid-count=1\n");
  g_assert_cmpuint (last->uid_base, ==, 4294967294u);
  g_assert_cmpuint (stasis_host_config_n_guests (none), ==, 0);
  g_assert_cmpuint (stasis_host_config_probe_uid (none), ==, geteuid ());
  g_assert_cmpuint (stasis_host_config_n_guests (last), ==, 1);
  g_autoptr (StasisHostConfig) ten = load ("[security]\nuid-base=500000\nuid-count=10\n");
  g_assert_cmpuint (stasis_host_config_n_guests (ten), ==, 9);
  if (geteuid () == 0)
    g_assert_cmpuint (stasis_host_config_probe_uid (ten), ==, 500009);
}

typedef struct
{
  const char *test;
  const char *text;
  const char *fault; /* in the message, beside the file's name */
} BadCase;

static const BadCase bad[] = {
  { "unknown-key", "[security]\nuid-bass=1\n", "[security] uid-bass" },
  { "unknown-group", "[emulator]\ndefault=/x\n", "[emulator] default" },
  { "key-of-another-group", "[emulators]\nuid-base=1\n", "[emulators] uid-base" },
  { "translated-key", "[emulators]\ndefault[de]=/x\n", "default[de]" },
  { "uid-is-text", "[security]\nuid-base=many\n", "[security] uid-base" },
  { "uid-is-negative", "[security]\nuid-base=-1\n", "[security] uid-base" },
  { "uid-is-empty", "[security]\nuid-base=\n", "[security] uid-base" },
  { "uid-is-nobody's", "[security]\nuid-base=4294967295\n", "[security] uid-base" },
  { "uid-too-large", "[security]\nuid-base=4294967296\n", "[security] uid-base" },
  { "uid-of-root", "[security]\nuid-base=0\n", "uid-base" },
  { "uids-wrap-around", "[security]\nuid-base=4294967294\nuid-count=2\n", "uid-count" },
  { "count-too-large", "[security]\nuid-count=4294967296\n", "[security] uid-count" },
  { "bad-escape-default", "[emulators]\ndefault=/x\\q\n", "default" },
  { "bad-escape-network", "[networks]\nlan=br\\q\n", "lan" },
  { "empty-network", "[networks]\nlan=\n", "[networks] lan" },
  { "relative-default", "[emulators]\ndefault=qemu\n", "[emulators] default" },
  { "guests-unknown", "[guests]\non-suspend=save\n", "[guests] on-suspend" },
  { "guests-word", "[guests]\non-shutdown=suspend\n",
    "[guests] on-shutdown: 'suspend' is neither 'save' nor 'shutdown'" },
  { "guests-case", "[guests]\non-boot=Start\n", "[guests] on-boot" },
  { "guests-quiesce", "[guests]\nquiesce=maybe\n",
    "[guests] quiesce: 'maybe' is neither 'no' nor 'yes'" },
  { "guests-empty", "[guests]\nif-not-saved=\n", "[guests] if-not-saved" },
  { "guests-none-at-once", "[guests]\nparallel=0\n", "[guests] parallel: 0" },
  { "guests-too-many", "[guests]\nparallel=65\n", "[guests] parallel: 65" },
  { "guests-time-is-text", "[guests]\nshutdown-timeout=5m\n", "[guests] shutdown-timeout" },
  { "guests-time-too-long", "[guests]\nstart-delay=86401\n", "[guests] start-delay" },
  { "hooks-unknown", "[hooks]\nscript=/x\n", "[hooks] script" },
  { "hooks-word", "[hooks]\nenabled=maybe\n",
    "[hooks] enabled: 'maybe' is neither 'yes' nor 'no'" },
  { "hooks-relative", "[hooks]\nfolder=hooks\n",
    "[hooks] folder: 'hooks' is not an absolute path" },
  { "hooks-no-time", "[hooks]\ntimeout=0\n", "[hooks] timeout: 0" },
  { "hooks-time-too-long", "[hooks]\ntimeout=3601\n", "[hooks] timeout: 3601" },
  { "no-group", "uid-base=1\n", "" },
  { "no-value", "[security]\nuid-base\n", "" },
  { "not-utf8", "[networks]\nlan=br\xff\n", "" },
};

static void
assert_refused (const char *fault)
{
  g_autoptr (GError) error = NULL;
  StasisHostConfig *config = stasis_host_config_load (folder, &error);
  g_assert_null (config);
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_autofree char *path = g_build_filename (folder, "stasis.conf", NULL);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_nonnull (strstr (error->message, fault));
}

static void
test_bad (gconstpointer data)
{
  const BadCase *c = data;
  g_free (scratch_text (folder, "stasis.conf", c->text));
  assert_refused (c->fault);
}

/* What is there and cannot be read is not the same as nothing. */
static void
test_unreadable (void)
{
  g_autofree char *path = g_build_filename (folder, "stasis.conf", NULL);
  unlink (path);
  g_assert_cmpint (mkdir (path, 0700), ==, 0);
  assert_refused ("");
  rmdir (path);
}

typedef struct
{
  const char *test;
  const char *emulator;
  gboolean allowed;
} AllowCase;

#define ALLOW_TEXT \
  "[emulators]\n" \
  "default=/srv/qemu/mine\n" \
  "allowed=/usr/bin/qemu-system-*;/opt/qemu-?/bin/qemu;/opt/*/qemu;/usr/bin/kvm;relative-*\n"

static const AllowCase allow_cases[] = {
  { "plain", "/usr/bin/qemu-system-x86_64", TRUE },
  { "exact", "/usr/bin/kvm", TRUE },
  { "default", "/srv/qemu/mine", TRUE },
  { "double-slash", "/usr//bin/./kvm", TRUE },
  { "other-name", "/usr/bin/qemu-img", FALSE },
  { "longer-name", "/usr/bin/kvm2", FALSE },
  { "beside-default", "/srv/qemu/other", FALSE },
  { "other-folder", "/tmp/qemu-system-x86_64", FALSE },
  { "deeper-folder", "/usr/bin/qemu-system-x/evil", FALSE },
  { "deeper-below-kvm", "/usr/bin/kvm/x", FALSE },
  { "up-and-out", "/usr/bin/qemu-system-x/../../../tmp/evil", FALSE },
  { "up-and-back", "/tmp/link/../../usr/bin/qemu-system-x86_64", FALSE },
  { "up-inside", "/usr/bin/../bin/kvm", FALSE },
  { "up-at-the-end", "/usr/bin/kvm/x/..", FALSE },
  { "dots-in-a-name", "/usr/bin/qemu-system-..x", TRUE },
  { "relative", "usr/bin/kvm", FALSE },
  { "relative-like-a-pattern", "relative-x", FALSE },
  { "only-a-name", "kvm", FALSE },
  { "empty", "", FALSE },
  { "folder", "/usr/bin/", FALSE },
};

static void
test_allow (gconstpointer data)
{
  const AllowCase *c = data;
  g_autoptr (StasisHostConfig) config = load (ALLOW_TEXT);
  g_assert_cmpint (stasis_host_config_allows (config, c->emulator), ==, c->allowed);
}

static void
test_allow_nothing (void)
{
  g_autoptr (StasisHostConfig) config = load ("[emulators]\nallowed=\n");
  g_assert_cmpuint (g_strv_length (config->emulators), ==, 0);
  g_assert_false (stasis_host_config_allows (config, "/usr/bin/kvm"));
  g_assert_true (stasis_host_config_allows (config, "/usr/bin/qemu-system-x86_64"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  folder = scratch_new ();
  g_test_add_func ("/driver/host-config/defaults", test_defaults);
  g_test_add_func ("/driver/host-config/every-key", test_every_key);
  g_test_add_func ("/driver/host-config/example", test_example);
  g_test_add_func ("/driver/host-config/uids", test_uids);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/host-config/bad/", bad[i].test, NULL);
      g_test_add_data_func (test, &bad[i], test_bad);
    }
  g_test_add_func ("/driver/host-config/unreadable", test_unreadable);
  for (gsize i = 0; i < G_N_ELEMENTS (allow_cases); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/host-config/allow/", allow_cases[i].test, NULL);
      g_test_add_data_func (test, &allow_cases[i], test_allow);
    }
  g_test_add_func ("/driver/host-config/allow-nothing", test_allow_nothing);
  const int result = g_test_run ();
  scratch_remove (folder);
  return result;
}
