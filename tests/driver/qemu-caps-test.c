/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-caps-test.c: probing real emulators, things that are none, and the cache
 */

#include "config.h"

#include "driver/qemu-caps.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/stat.h>
#include <string.h>
#include <unistd.h>

#include "driver/qemu-caps-private.h"

#define LOAD_MAX_US 2000

typedef struct
{
  char *folder;
  char *emulator; /* a script that counts its starts and becomes QEMU */
  char *counter;
} Fixture;

static const char *
find_qemu (void)
{
  static char *found;
  const char *asked = g_getenv ("STASIS_TEST_QEMU");
  if (asked != NULL && *asked != '\0')
    return asked;
  if (found == NULL)
    found = g_find_program_in_path ("qemu-system-x86_64");
  return found;
}

static void
write_script (const char *path, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_NONE, 0755, &error));
  g_assert_no_error (error);
}

static void
setup (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  fixture->folder = g_dir_make_tmp ("stasis-caps-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->emulator = g_build_filename (fixture->folder, "emulator", NULL);
  fixture->counter = g_build_filename (fixture->folder, "starts", NULL);
  if (find_qemu () == NULL)
    return;
  g_autofree char *text = g_strdup_printf ("#!/bin/sh\necho >> '%s'\nexec '%s' \"$@\"\n",
                                           fixture->counter, find_qemu ());
  write_script (fixture->emulator, text);
}

static void
teardown (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GDir) dir = g_dir_open (fixture->folder, 0, NULL);
  for (const char *name = g_dir_read_name (dir); name != NULL; name = g_dir_read_name (dir))
    {
      g_autofree char *path = g_build_filename (fixture->folder, name, NULL);
      g_remove (path);
    }
  g_rmdir (fixture->folder);
  g_free (fixture->folder);
  g_free (fixture->emulator);
  g_free (fixture->counter);
}

static gboolean
has_qemu (void)
{
  if (find_qemu () != NULL)
    return TRUE;
  g_test_skip ("no qemu-system-x86_64 (set STASIS_TEST_QEMU)");
  return FALSE;
}

static StasisQemuCaps *
load (const Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  StasisQemuCaps *caps
      = stasis_qemu_caps_load (fixture->emulator, fixture->folder, geteuid (), NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (caps);
  return caps;
}

static gsize
count_starts (const Fixture *fixture)
{
  g_autofree char *text = NULL;
  gsize length = 0;
  return g_file_get_contents (fixture->counter, &text, &length, NULL) ? length : 0;
}

/* The cache is the only JSON file in the folder. */
static char *
find_cache (const Fixture *fixture)
{
  g_autoptr (GDir) dir = g_dir_open (fixture->folder, 0, NULL);
  for (const char *name = g_dir_read_name (dir); name != NULL; name = g_dir_read_name (dir))
    if (g_str_has_suffix (name, ".json"))
      return g_build_filename (fixture->folder, name, NULL);
  return NULL;
}

static void
test_probe (Fixture *fixture, gconstpointer data)
{
  if (!has_qemu ())
    return;

  g_autoptr (StasisQemuCaps) caps = load (fixture);
  g_assert_cmpuint (strlen (stasis_qemu_caps_version (caps)), >=, 5);
  g_assert_cmpuint (stasis_qemu_caps_n_machines (caps), >, 10);

  const char *pc = stasis_qemu_caps_canonical_machine (caps, "pc");
  const char *q35 = stasis_qemu_caps_canonical_machine (caps, "q35");
  g_assert_true (g_str_has_prefix (pc, "pc-i440fx-"));
  g_assert_true (g_str_has_prefix (q35, "pc-q35-"));
  g_assert_cmpstr (stasis_qemu_caps_canonical_machine (caps, NULL), ==, pc);
  g_assert_cmpstr (stasis_qemu_caps_canonical_machine (caps, ""), ==, pc);
  g_assert_cmpstr (stasis_qemu_caps_canonical_machine (caps, q35), ==, q35);
  g_assert_null (stasis_qemu_caps_canonical_machine (caps, "toaster"));
  g_assert_cmpstr (stasis_qemu_caps_ram_id (caps, "q35"), ==, "pc.ram");

  g_assert_true (stasis_qemu_caps_has_device (caps, "virtio-blk-pci"));
  g_assert_true (stasis_qemu_caps_has_device (caps, "memory-backend-memfd"));
  g_assert_false (stasis_qemu_caps_has_device (caps, "virtio-toaster-pci"));
  g_assert_true (stasis_qemu_caps_has_migration (caps, "multifd"));
  g_assert_false (stasis_qemu_caps_has_migration (caps, "toast"));
  g_assert_true (stasis_qemu_caps_has_property (caps, STASIS_QEMU_FILE_MEMORY, "mem-path"));
  g_assert_false (stasis_qemu_caps_has_property (caps, STASIS_QEMU_FILE_MEMORY, "toast"));
}

/* Root asks as somebody else, who has nothing of root's. */
static void
test_other_user (Fixture *fixture, gconstpointer data)
{
  if (!has_qemu ())
    return;
  if (geteuid () != 0)
    {
      g_test_skip ("only root can become another user");
      return;
    }
  const guint32 uid = 2013265999;
  g_autofree char *made = g_build_filename (fixture->folder, "made", NULL);
  g_autofree char *text = g_strdup_printf (
      "#!/bin/sh\n{ id -u; id -g; id -G; grep NoNewPrivs /proc/self/status; env; } > '%s'\n"
      "exec '%s' \"$@\"\n",
      made, find_qemu ());
  write_script (fixture->emulator, text);
  g_assert_cmpint (chmod (fixture->folder, 0777), ==, 0);

  g_setenv ("PROBE_OURS", "1", TRUE);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisQemuCaps) caps
      = stasis_qemu_caps_load (fixture->emulator, fixture->folder, uid, NULL, &error);
  g_unsetenv ("PROBE_OURS");
  g_assert_no_error (error);
  g_assert_cmpuint (stasis_qemu_caps_n_machines (caps), >, 10);
  g_autofree char *told = NULL;
  g_assert_true (g_file_get_contents (made, &told, NULL, NULL));
  g_test_message ("%s", told);
  g_assert_true (g_str_has_prefix (told, "2013265999\n2013265999\n2013265999\nNoNewPrivs:\t1\n"));
  g_assert_null (strstr (told, "PROBE_OURS"));
}

/* Every machine with an alias is found by it. */
static void
test_machines (Fixture *fixture, gconstpointer data)
{
  if (!has_qemu ())
    return;

  g_autoptr (StasisQemuCaps) caps = load (fixture);
  guint n_aliases = 0;
  for (guint i = 0; i < stasis_qemu_caps_n_machines (caps); i++)
    {
      const char *alias = NULL;
      const char *name = stasis_qemu_caps_machine (caps, i, &alias);
      g_assert_cmpstr (name, !=, "none");
      g_assert_cmpstr (stasis_qemu_caps_canonical_machine (caps, name), ==, name);
      if (alias == NULL)
        continue;
      n_aliases++;
      g_assert_cmpstr (stasis_qemu_caps_canonical_machine (caps, alias), ==, name);
    }
  g_assert_cmpuint (n_aliases, >=, 2);
}

static void
test_cached (Fixture *fixture, gconstpointer data)
{
  if (!has_qemu ())
    return;

  g_autoptr (StasisQemuCaps) first = load (fixture);
  g_assert_cmpuint (count_starts (fixture), ==, 1);

  gint64 best = G_MAXINT64;
  for (int i = 0; i < 5; i++)
    {
      const gint64 begin = g_get_monotonic_time ();
      g_autoptr (StasisQemuCaps) second = load (fixture);
      best = MIN (best, g_get_monotonic_time () - begin);

      g_autoptr (StasisJson) a = stasis_qemu_caps_to_json (first);
      g_autoptr (StasisJson) b = stasis_qemu_caps_to_json (second);
      g_autofree char *a_text = stasis_json_to_string (a);
      g_autofree char *b_text = stasis_json_to_string (b);
      g_assert_cmpstr (a_text, ==, b_text);
    }
  g_assert_cmpuint (count_starts (fixture), ==, 1);
  g_test_message ("from the cache: %" G_GINT64_FORMAT " us", best);
  if (g_test_perf ())
    g_assert_cmpint (best, <=, LOAD_MAX_US);
}

/* Another emulator under the same name is probed anew. */
static void
test_replaced (Fixture *fixture, gconstpointer data)
{
  if (!has_qemu ())
    return;

  g_autoptr (StasisQemuCaps) first = load (fixture);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (fixture->emulator, &text, NULL, NULL));
  write_script (fixture->emulator, text);
  g_autoptr (StasisQemuCaps) second = load (fixture);
  g_assert_cmpuint (count_starts (fixture), ==, 2);
}

typedef struct
{
  const char *name;
  const char *text; /* NULL: cut the true one in half */
} Damage;

static const Damage damages[] = {
  { "empty", "" },
  { "cut", NULL },
  { "text", "not JSON at all" },
  { "array", "[]" },
  { "no-key", "{\"capabilities\":{\"version\":\"1.2.3\"}}" },
  { "foreign-key", "{\"key\":{\"format\":99},\"capabilities\":{\"version\":\"1.2.3\"}}" },
  { "zeros", "\001\002\003" },
};

/* Whatever stands in the cache, the answer is the same. */
static void
test_damaged (Fixture *fixture, gconstpointer data)
{
  const Damage *damage = data;
  if (!has_qemu ())
    return;

  g_autoptr (StasisQemuCaps) first = load (fixture);
  g_autofree char *cache = find_cache (fixture);
  g_assert_nonnull (cache);
  g_autofree char *text = NULL;
  gsize length = 0;
  g_assert_true (g_file_get_contents (cache, &text, &length, NULL));
  if (damage->text != NULL)
    g_assert_true (g_file_set_contents (cache, damage->text, -1, NULL));
  else
    g_assert_true (g_file_set_contents (cache, text, (gssize) length / 2, NULL));

  g_autoptr (StasisQemuCaps) second = load (fixture);
  g_assert_cmpuint (count_starts (fixture), ==, 2);
  g_assert_cmpstr (stasis_qemu_caps_version (second), ==, stasis_qemu_caps_version (first));
  g_autoptr (StasisQemuCaps) third = load (fixture);
  g_assert_cmpuint (count_starts (fixture), ==, 2);
}

/* The right key over capabilities that make no sense. */
static void
test_hollow (Fixture *fixture, gconstpointer data)
{
  if (!has_qemu ())
    return;

  g_autoptr (StasisQemuCaps) first = load (fixture);
  g_autofree char *cache = find_cache (fixture);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (cache, &text, NULL, NULL));
  g_autoptr (StasisJson) json = stasis_json_parse (text, -1, NULL);
  StasisJson *hollow = stasis_json_new_object ();
  stasis_json_set_string (hollow, "version", "1.2.3");
  stasis_json_set (json, "capabilities", hollow);
  g_autofree char *changed = stasis_json_to_string (json);
  g_assert_true (g_file_set_contents (cache, changed, -1, NULL));

  g_autoptr (StasisQemuCaps) second = load (fixture);
  g_assert_cmpstr (stasis_qemu_caps_version (second), ==, stasis_qemu_caps_version (first));
}

static void
test_no_cache_folder (Fixture *fixture, gconstpointer data)
{
  if (!has_qemu ())
    return;

  g_autoptr (GError) error = NULL;
  g_autofree char *nowhere = g_build_filename (fixture->folder, "nowhere", NULL);
  g_autoptr (StasisQemuCaps) caps
      = stasis_qemu_caps_load (fixture->emulator, nowhere, geteuid (), NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (caps);
}

typedef struct
{
  const char *name;
  const char *script; /* NULL: there is no file */
  const char *message;
} Impostor;

static const Impostor impostors[] = {
  { "missing", NULL, "No such file" },
  { "true", "#!/bin/sh\nexit 0\n", "" },
  { "cat", "#!/bin/sh\nexec cat \"$@\"\n", "invalid option" },
  { "echo", "#!/bin/sh\necho '{\"QMP\":1}' >&3\n", "" },
  { "noise", "#!/bin/sh\nhead -c 100000 /dev/urandom >&3\n", "" },
  { "silent", "#!/bin/sh\nexec sleep 100\n", "" },
  { "dying", "#!/bin/sh\necho 'no such luck' >&2\nexit 1\n", "no such luck" },
};

/* A clean error in time, with the program's own words, and nobody left behind. */
static void
test_impostor (Fixture *fixture, gconstpointer data)
{
  const Impostor *impostor = data;
  g_autofree char *path = g_build_filename (fixture->folder, "impostor", NULL);
  if (impostor->script != NULL)
    write_script (path, impostor->script);

  g_autoptr (GError) error = NULL;
  const gint64 begin = g_get_monotonic_time ();
  g_autoptr (StasisQemuCaps) caps
      = impostor->script != NULL
            ? stasis_qemu_caps_probe (path, geteuid (), 1000, NULL, &error)
            : stasis_qemu_caps_load (path, fixture->folder, geteuid (), NULL, &error);
  g_assert_null (caps);
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_nonnull (strstr (error->message, impostor->message));
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 8 * G_USEC_PER_SEC);
}

static void
test_cancelled (Fixture *fixture, gconstpointer data)
{
  if (!has_qemu ())
    return;

  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_cancellable_cancel (cancellable);
  g_autoptr (GError) error = NULL;
  g_assert_null (
      stasis_qemu_caps_load (fixture->emulator, fixture->folder, geteuid (), cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
add (const char *path, gconstpointer data, void (*run) (Fixture *, gconstpointer))
{
  g_test_add (path, Fixture, data, setup, run, teardown);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("/driver/qemu-caps/probe", NULL, test_probe);
  add ("/driver/qemu-caps/other-user", NULL, test_other_user);
  add ("/driver/qemu-caps/machines", NULL, test_machines);
  add ("/driver/qemu-caps/cached", NULL, test_cached);
  add ("/driver/qemu-caps/replaced", NULL, test_replaced);
  add ("/driver/qemu-caps/hollow", NULL, test_hollow);
  add ("/driver/qemu-caps/no-cache-folder", NULL, test_no_cache_folder);
  add ("/driver/qemu-caps/cancelled", NULL, test_cancelled);
  for (gsize i = 0; i < G_N_ELEMENTS (damages); i++)
    {
      g_autofree char *path = g_strdup_printf ("/driver/qemu-caps/damaged/%s", damages[i].name);
      add (path, &damages[i], test_damaged);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (impostors); i++)
    {
      g_autofree char *path = g_strdup_printf ("/driver/qemu-caps/impostor/%s", impostors[i].name);
      add (path, &impostors[i], test_impostor);
    }
  return g_test_run ();
}
