/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * firmware-test.c: tests of src/driver/firmware.c, with the firmware that this host has
 */

#include "config.h"

#include "driver/firmware.h"

#include <stasis/error.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

#define DESCRIPTORS "/usr/share/qemu/firmware"

typedef struct
{
  char *folder;
  StasisPaths *paths;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->folder = scratch_new ();
  f->paths = scratch_paths (f->folder);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_paths_free (f->paths);
  scratch_remove (f->folder);
}

static gboolean
has_ovmf (void)
{
  const gboolean here = g_file_test ("/usr/share/OVMF/OVMF_CODE_4M.fd", G_FILE_TEST_EXISTS)
                        && g_file_test (DESCRIPTORS, G_FILE_TEST_IS_DIR);
  if (!here)
    g_test_skip ("package ovmf is not installed");
  return here;
}

typedef struct
{
  const char *test;
  const char *machine;
  const char *inside; /* of <os> */
  const char *rest;
  const char *loader;   /* its name; NULL: none fits */
  const char *template; /* its name */
} FindCase;

#define SMM             "<features><acpi/><smm state='on'/></features>"
#define ACPI            "<features><acpi/></features>"
#define WANT(name, yes) "<feature enabled='" yes "' name='" name "'/>"

static const FindCase find_cases[] = {
  { "q35", "pc-q35-7.2", "", ACPI, "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd" },
  { "pc", "pc-i440fx-7.2", "", ACPI, "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd" },
  { "other-machine", "microvm", "", ACPI, NULL, NULL },
  { "smm", "pc-q35-7.2", "", SMM, "OVMF_CODE_4M.ms.fd", "OVMF_VARS_4M.ms.fd" },
  { "smm-on-pc", "pc-i440fx-7.2", "", SMM, "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd" },
  { "no-enrolled-keys", "pc-q35-7.2", "<firmware>" WANT ("enrolled-keys", "no") "</firmware>", SMM,
    "OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.fd" },
  { "no-secure-boot", "pc-q35-7.2", "<firmware>" WANT ("secure-boot", "no") "</firmware>", SMM,
    "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd" },
  { "enrolled-keys", "pc-q35-7.2",
    "<firmware>" WANT ("enrolled-keys", "yes") WANT ("secure-boot", "yes") "</firmware>", SMM,
    "OVMF_CODE_4M.ms.fd", "OVMF_VARS_4M.ms.fd" },
  { "secure-without-smm", "pc-q35-7.2", "<firmware>" WANT ("secure-boot", "yes") "</firmware>",
    "<features><acpi/><smm state='off'/></features>", NULL, NULL },
  { "secure-boot-on-pc", "pc-i440fx-7.2", "<firmware>" WANT ("secure-boot", "yes") "</firmware>",
    ACPI, NULL, NULL },
};

static void
test_find (Fixture *f, gconstpointer data)
{
  const FindCase *c = data;
  if (!has_ovmf ())
    return;
  const char *kind = strstr (c->machine, "q35") != NULL ? "q35" : "pc";
  g_autoptr (StasisDomainDef) def = scratch_domain (kind, " firmware='efi'", c->inside, c->rest);
  g_free (def->os.machine);
  def->os.machine = g_strdup (c->machine);
  g_autoptr (GError) error = NULL;
  const gboolean found = stasis_firmware_resolve (def, f->paths, &error);
  if (c->loader == NULL)
    {
      g_assert_false (found);
      g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
      g_assert_nonnull (strstr (error->message, c->machine));
      g_assert_null (def->os.loader);
      return;
    }
  g_assert_no_error (error);
  g_autofree char *loader = g_path_get_basename (def->os.loader);
  g_autofree char *template = g_path_get_basename (def->os.nvram_template);
  g_autofree char *nvram = stasis_paths_nvram (f->paths, "web");
  g_assert_cmpstr (loader, ==, c->loader);
  g_assert_cmpstr (template, ==, c->template);
  g_assert_cmpstr (def->os.nvram, ==, nvram);
  g_assert_cmpint (def->os.loader_type, ==, STASIS_LOADER_PFLASH);
  g_assert_cmpint (def->os.loader_readonly, ==, STASIS_TRISTATE_ON);

  /* Once found it stays. */
  g_assert_true (stasis_firmware_resolve (def, f->paths, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (def->os.nvram, ==, nvram);
}

/* No UEFI wanted: nothing is looked for or changed. */
static void
test_not_wanted (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisDomainDef) def = scratch_domain ("pc-q35-7.2", "", "", "");
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_firmware_resolve (def, f->paths, &error));
  g_assert_no_error (error);
  g_assert_null (def->os.loader);
  g_assert_null (def->os.nvram);
  g_assert_true (stasis_firmware_make_nvram (def, &error));
  g_assert_no_error (error);
}

/* A domain that names its files keeps them; only the NVRAM's place is ours where it has none. */
static void
test_named (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisDomainDef) def
      = scratch_domain ("pc-q35-7.2", "",
                        "<loader readonly='yes' type='pflash'>/fw/CODE.fd</loader>"
                        "<nvram template='/fw/VARS.fd'>/x</nvram>",
                        ACPI);
  g_clear_pointer (&def->os.nvram, g_free);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_firmware_resolve (def, f->paths, &error));
  g_assert_no_error (error);
  g_autofree char *nvram = stasis_paths_nvram (f->paths, "web");
  g_assert_cmpstr (def->os.loader, ==, "/fw/CODE.fd");
  g_assert_cmpstr (def->os.nvram_template, ==, "/fw/VARS.fd");
  g_assert_cmpstr (def->os.nvram, ==, nvram);
}

static StasisDomainDef *
with_nvram (const char *template, const char *nvram)
{
  g_autofree char *inside
      = g_strdup_printf ("<loader readonly='yes' type='pflash'>/fw/CODE.fd</loader>"
                         "<nvram template='%s'>%s</nvram>",
                         template, nvram);
  return scratch_domain ("pc-q35-7.2", "", inside, ACPI);
}

static void
test_make_nvram (Fixture *f, gconstpointer data)
{
  g_autofree char *template = scratch_file (f->folder, "VARS.fd", "va\0rs", 5);
  g_autofree char *nvram = g_build_filename (f->folder, "lib", "nvram", "web_VARS.fd", NULL);
  g_autoptr (StasisDomainDef) def = with_nvram (template, nvram);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_firmware_make_nvram (def, &error));
  g_assert_no_error (error);
  g_autofree char *octets = NULL;
  gsize size = 0;
  g_assert_true (g_file_get_contents (nvram, &octets, &size, NULL));
  g_assert_cmpmem (octets, size, "va\0rs", 5);
  struct stat st;
  g_assert_cmpint (stat (nvram, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0600);

  /* What the guest has written there is never replaced. */
  g_assert_true (g_file_set_contents (nvram, "guest", 5, NULL));
  g_assert_true (stasis_firmware_make_nvram (def, &error));
  g_assert_no_error (error);
  g_autofree char *after = NULL;
  g_assert_true (g_file_get_contents (nvram, &after, NULL, NULL));
  g_assert_cmpstr (after, ==, "guest");
}

static void
test_make_nvram_fails (Fixture *f, gconstpointer data)
{
  g_autofree char *template = scratch_text (f->folder, "VARS.fd", "vars");
  g_autofree char *nvram = g_build_filename (f->folder, "x_VARS.fd", NULL);
  g_autofree char *missing = g_build_filename (f->folder, "missing.fd", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisDomainDef) none = with_nvram (missing, nvram);
  g_assert_false (stasis_firmware_make_nvram (none, &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, missing));
  g_clear_error (&error);

  g_autoptr (StasisDomainDef) def = with_nvram (template, nvram);
  g_assert_cmpint (truncate (template, 64 * 1024 * 1024 + 1), ==, 0);
  g_assert_false (stasis_firmware_make_nvram (def, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, template));
  g_assert_false (g_file_test (nvram, G_FILE_TEST_EXISTS));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (find_cases); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/firmware/find/", find_cases[i].test, NULL);
      g_test_add (test, Fixture, &find_cases[i], set_up, test_find, tear_down);
    }
  g_test_add ("/driver/firmware/not-wanted", Fixture, NULL, set_up, test_not_wanted, tear_down);
  g_test_add ("/driver/firmware/named", Fixture, NULL, set_up, test_named, tear_down);
  g_test_add ("/driver/firmware/make-nvram", Fixture, NULL, set_up, test_make_nvram, tear_down);
  g_test_add ("/driver/firmware/make-nvram-fails", Fixture, NULL, set_up, test_make_nvram_fails,
              tear_down);
  return g_test_run ();
}
