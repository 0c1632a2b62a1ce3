/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-check-test.c: tests of src/driver/migrate-check.c with what a real QEMU can do; no guest
 * runs
 */

#include "config.h"

#include "driver/migrate-check.h"

#include <stasis/error.h>
#include <stdio.h>
#include <string.h>

#include "driver/migrate-host.h"
#include "driver/migrate-in-check.h"
#include "driver/registry.h"
#include "image/facts.h"
#include "scratch.h"

#define UUID  "d0010203-0405-4607-8809-0a0b0c0d0e0f"
#define OTHER "11111111-2222-4333-8444-555555555555"

typedef struct
{
  char *folder;
  StasisDriver *driver;
  StasisDomainDef *def;
  StasisMigrateCookie *cookie;
  StasisMigrateCheck check;
} Fixture;

static const char *
emulator (void)
{
  const char *path = g_getenv ("STASIS_TEST_QEMU");
  return path != NULL ? path : "/usr/bin/qemu-system-x86_64";
}

/* Wherever it lies. */
static void
allow_emulator (const Fixture *f)
{
  g_autofree char *folder = g_build_filename (f->folder, "config", NULL);
  g_autofree char *text = g_strdup_printf ("[emulators]\ndefault=%s\nallowed=%s;%s/*\n",
                                           emulator (), emulator (), f->folder);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_free (scratch_text (folder, "stasis.conf", text));
}

static StasisDomainDef *
make_domain (Fixture *f, const char *name, const char *uuid, guint memory)
{
  g_autofree char *xml
      = g_strdup_printf ("<domain type='qemu'><name>%s</name><uuid>%s</uuid><memory>%u</memory>"
                         "<os><type arch='x86_64' machine='pc'>hvm</type></os>"
                         "<devices><emulator>%s</emulator></devices></domain>",
                         name, uuid, memory, emulator ());
  g_autoptr (GError) error = NULL;
  StasisDomainDef *def
      = stasis_driver_parse (f->driver, xml, NULL, STASIS_DOMAIN_PARSE_DEFAULT, &error);
  g_assert_no_error (error);
  return def;
}

static StasisJson *
make_qemu (const Fixture *f)
{
  StasisJson *qemu = stasis_json_new_object ();
  StasisJson *capabilities = stasis_json_new_array ();
  stasis_json_array_append_string (capabilities, "events");
  stasis_json_set_string (qemu, STASIS_IMAGE_FACTS_EMULATOR, emulator ());
  stasis_json_set_string (qemu, STASIS_IMAGE_FACTS_VERSION, "5.2.0");
  stasis_json_set_string (qemu, STASIS_IMAGE_FACTS_MACHINE, f->def->os.machine);
  stasis_json_set_string (qemu, STASIS_IMAGE_FACTS_ACCELERATOR, "tcg");
  stasis_json_set_string (qemu, STASIS_IMAGE_FACTS_RUN_STATE, "running");
  stasis_json_set (qemu, STASIS_IMAGE_FACTS_CAPABILITIES, capabilities);
  return qemu;
}

/* A source elsewhere, whose guest can come. */
static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  f->folder = scratch_new ();
  g_setenv ("STASIS_STATE_DIR", f->folder, TRUE);
  allow_emulator (f);
  f->driver = stasis_driver_open ("stasis:///session", NULL, &error);
  g_assert_no_error (error);
  f->def = make_domain (f, "web", UUID, 65536);
  f->cookie = stasis_migrate_cookie_new (NULL);
  StasisMigrateBegin *begin = stasis_migrate_cookie_add_begin (f->cookie);
  begin->source.name = g_strdup ("alpha");
  begin->source.boot_id = g_strdup ("another");
  begin->source.state = g_strdup ("0123456789abcdef");
  begin->name = g_strdup ("web");
  begin->uuid = g_strdup (UUID);
  begin->memory_kib = 65536;
  begin->qemu = make_qemu (f);
  begin->time_us = g_get_real_time ();
  f->check = (StasisMigrateCheck){ .driver = f->driver,
                                   .begin = begin,
                                   .sent = f->def,
                                   .wanted = f->def,
                                   .root = "",
                                   .now_us = g_get_real_time () };
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_migrate_cookie_free (f->cookie);
  stasis_domain_def_free (f->def);
  g_object_unref (f->driver);
  scratch_remove (f->folder);
}

static void
assert_fine (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) findings = stasis_migrate_check (&f->check);
  stasis_migrate_findings_throw (findings, &error);
  g_assert_no_error (error);
}

static void
assert_fails (Fixture *f, int code, const char *what, const char *says)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) findings = stasis_migrate_check (&f->check);
  g_assert_false (stasis_migrate_findings_throw (findings, &error));
  g_test_message ("%s", error->message);
  g_assert_cmpint (error->code, ==, code);
  g_assert_true (g_str_has_prefix (error->message, what));
  g_assert_nonnull (strstr (error->message, says));
}

/* (nullable) what was found of it, which is no reason to refuse. */
static char *
get_warning (Fixture *f, const char *what)
{
  g_autoptr (GPtrArray) findings = stasis_migrate_check (&f->check);
  for (guint i = 0; i < findings->len; i++)
    {
      const StasisMigrateFinding *finding = g_ptr_array_index (findings, i);
      if (!g_str_equal (finding->what, what))
        continue;
      g_assert_true (finding->ok);
      return g_strdup (finding->needs);
    }
  g_assert_not_reached ();
}

static void
test_fine (Fixture *f, gconstpointer data)
{
  assert_fine (f);
  g_autofree char *clock = get_warning (f, "clock");
  g_autofree char *version = get_warning (f, "QEMU's version");
  g_assert_null (clock);
  g_assert_null (version);
}

static void
test_name (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisDomainDef) taken = make_domain (f, "web", OTHER, 65536);
  g_assert_true (stasis_registry_store (f->driver, taken, NULL));
  assert_fails (f, STASIS_ERROR_EXISTS, "name and UUID", OTHER);
}

static void
test_uuid (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisDomainDef) taken = make_domain (f, "db", UUID, 65536);
  g_assert_true (stasis_registry_store (f->driver, taken, NULL));
  assert_fails (f, STASIS_ERROR_EXISTS, "name and UUID", "'db'");
}

/* The same domain, defined and shut off. */
static void
test_defined (Fixture *f, gconstpointer data)
{
  g_assert_true (stasis_registry_store (f->driver, f->def, NULL));
  assert_fine (f);
}

static void
test_renamed (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisDomainDef) renamed = make_domain (f, "web2", UUID, 65536);
  f->check.wanted = renamed;
  assert_fine (f);
}

static void
test_host (Fixture *f, gconstpointer data)
{
  StasisMigrateHost *source = &f->cookie->begin->source;
  stasis_migrate_host_clear (source);
  stasis_migrate_host_fill (source, f->driver->paths);
  assert_fails (f, STASIS_ERROR_INVALID_ARGUMENT, "host", "the same");
}

static void
test_abi (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisDomainDef) larger = make_domain (f, "web", UUID, 131072);
  f->check.wanted = larger;
  assert_fails (f, STASIS_CONF_ERROR_ABI, "definition", "memory");
  f->check.wanted = f->def;
  f->check.sent = larger;
  larger->uuid[0] = 'e';
  assert_fails (f, STASIS_ERROR_REFUSED, "definition", "another domain");
}

static void
test_machine (Fixture *f, gconstpointer data)
{
  stasis_json_set_string (f->cookie->begin->qemu, STASIS_IMAGE_FACTS_MACHINE, "pc-i440fx-99.0");
  assert_fails (f, STASIS_ERROR_UNSUPPORTED, "machine", "pc-i440fx-99.0");
  stasis_json_set_string (f->cookie->begin->qemu, STASIS_IMAGE_FACTS_MACHINE, "q35");
  assert_fails (f, STASIS_ERROR_REFUSED, "machine", "pc-i440fx");
}

static void
test_version (Fixture *f, gconstpointer data)
{
  stasis_json_set_string (f->cookie->begin->qemu, STASIS_IMAGE_FACTS_VERSION, "99.1.0");
  assert_fine (f);
  g_autofree char *warning = get_warning (f, "QEMU's version");
  g_assert_nonnull (strstr (warning, "older"));
}

static void
test_capability (Fixture *f, gconstpointer data)
{
  StasisJson *capabilities = stasis_json_new_array ();
  stasis_json_array_append_string (capabilities, "time-travel");
  stasis_json_set (f->cookie->begin->qemu, STASIS_IMAGE_FACTS_CAPABILITIES, capabilities);
  assert_fails (f, STASIS_ERROR_UNSUPPORTED, "QEMU's capabilities", "'time-travel'");
}

static void
test_emulator (Fixture *f, gconstpointer data)
{
  g_free (f->def->emulator);
  f->def->emulator = g_build_filename (f->folder, "no-qemu", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) findings = stasis_migrate_check (&f->check);
  g_assert_false (stasis_migrate_findings_throw (findings, &error));
  g_assert_true (g_str_has_prefix (error->message, "emulator"));
  g_assert_nonnull (strstr (error->message, "no-qemu"));
}

static void
test_accelerator (Fixture *f, gconstpointer data)
{
  stasis_json_set_string (f->cookie->begin->qemu, STASIS_IMAGE_FACTS_ACCELERATOR, "kvm");
  assert_fails (f, STASIS_ERROR_REFUSED, "acceleration", "kvm");
}

static void
test_device (Fixture *f, gconstpointer data)
{
  static const char *const known[] = { "tpm", NULL };
  f->cookie->begin->devices = g_strsplit ("tpm", ",", -1);
  assert_fails (f, STASIS_ERROR_UNSUPPORTED, "external device 'tpm'", "cannot come");
  f->check.devices = known;
  assert_fine (f);
}

static void
test_memory (Fixture *f, gconstpointer data)
{
  f->cookie->begin->memory_kib = G_GUINT64_CONSTANT (1) << 50;
  assert_fails (f, STASIS_ERROR_REFUSED, "memory", "can be had here");
}

static void
put (const Fixture *f, const char *folder, const char *file, const char *text)
{
  g_autofree char *full = g_build_filename (f->folder, folder, NULL);
  g_assert_cmpint (g_mkdir_with_parents (full, 0700), ==, 0);
  g_free (scratch_text (full, file, text));
}

/* 64 MiB, of pages of 2 MiB. */
static void
test_huge_pages (Fixture *f, gconstpointer data)
{
  f->def->memory_backing.hugepages = TRUE;
  f->check.root = f->folder;
  put (f, "proc", "meminfo", "MemAvailable: 9000000 kB\n");
  assert_fails (f, STASIS_ERROR_REFUSED, "memory", "no huge pages");
  put (f, "proc", "meminfo", "MemAvailable: 9000000 kB\nHugepagesize: 2048 kB\n");
  assert_fails (f, STASIS_ERROR_REFUSED, "memory", "no huge pages of 2048 KiB");
  put (f, "sys/kernel/mm/hugepages/hugepages-2048kB", "free_hugepages", "31\n");
  assert_fails (f, STASIS_ERROR_REFUSED, "memory", "62.0");
  put (f, "sys/kernel/mm/hugepages/hugepages-2048kB", "free_hugepages", "32\n");
  assert_fine (f);
}

/* By a device of its own, or by a word to all. */
static void
test_userfault (Fixture *f, gconstpointer data)
{
  const guint32 somebody = 123456789;
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_migrate_in_check_userfault (f->folder, somebody, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "--postcopy"));
  put (f, "proc/sys/vm", "unprivileged_userfaultfd", "0\n");
  g_assert_false (stasis_migrate_in_check_userfault (f->folder, somebody, NULL));
  put (f, "proc/sys/vm", "unprivileged_userfaultfd", "1\n");
  g_assert_true (stasis_migrate_in_check_userfault (f->folder, somebody, NULL));
  put (f, "proc/sys/vm", "unprivileged_userfaultfd", "0\n");
  put (f, "dev", "userfaultfd", "");
  g_assert_true (stasis_migrate_in_check_userfault (f->folder, somebody, NULL));
}

static void
test_clock (Fixture *f, gconstpointer data)
{
  f->cookie->begin->time_us -= G_GINT64_CONSTANT (7200) * G_USEC_PER_SEC;
  assert_fine (f);
  g_autofree char *warning = get_warning (f, "clock");
  g_assert_nonnull (strstr (warning, "seconds apart"));
  f->cookie->begin->time_us = G_MININT64;
  assert_fine (f);
}

/* Of a domain that does not run, only the definition comes. */
static void
test_offline (Fixture *f, gconstpointer data)
{
  f->check.flags = STASIS_MIGRATE_OFFLINE;
  f->cookie->begin->memory_kib = G_GUINT64_CONSTANT (1) << 50;
  assert_fine (f);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *test;
    void (*function) (Fixture *, gconstpointer);
  } tests[] = {
    { "fine", test_fine },
    { "name", test_name },
    { "uuid", test_uuid },
    { "defined", test_defined },
    { "renamed", test_renamed },
    { "host", test_host },
    { "abi", test_abi },
    { "machine", test_machine },
    { "version", test_version },
    { "capability", test_capability },
    { "emulator", test_emulator },
    { "accelerator", test_accelerator },
    { "device", test_device },
    { "memory", test_memory },
    { "clock", test_clock },
    { "offline", test_offline },
    { "huge-pages", test_huge_pages },
    { "userfault", test_userfault },
  };
  g_test_init (&argc, &argv, NULL);
  if (!g_file_test (emulator (), G_FILE_TEST_IS_EXECUTABLE))
    {
      printf ("1..0 # SKIP no emulator '%s'\n", emulator ());
      return 0;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *path = g_strconcat ("/driver/migrate-check/", tests[i].test, NULL);
      g_test_add (path, Fixture, NULL, set_up, tests[i].function, tear_down);
    }
  return g_test_run ();
}
