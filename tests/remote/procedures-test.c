/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procedures-test.c: tests of src/remote/procedures.c
 */

#include "config.h"

#include <string.h>

#include "remote/procedures.h"

#define LETTERS "iulUdszDOxbmMAFNpPRSITV"

static void
check_layout (const StasisProcedure *procedure, const char *layout)
{
  g_assert_nonnull (layout);
  g_assert_cmpuint (strlen (layout), <=, STASIS_WIRE_MEMBERS_MAX);
  if (layout[strspn (layout, LETTERS)] != '\0')
    g_error ("%s: unknown letter in '%s'", procedure->name, layout);
}

static void
test_rows (void)
{
  guint count;
  const StasisProcedure *procedures = stasis_procedures (&count);
  g_assert_cmpuint (count, >, 60);
  for (guint i = 0; i < count; i++)
    {
      const StasisProcedure *row = &procedures[i];
      g_assert_nonnull (row->name);
      g_assert_true (row->call != NULL);
      g_assert_cmpint (row->number, >, 0);
      g_assert_true (stasis_program_is_known (row->program));
      check_layout (row, row->args);
      check_layout (row, row->rets);
    }
}

/* What is looked for is found: so no number and no name stands there twice. */
static void
test_find (void)
{
  guint count;
  const StasisProcedure *procedures = stasis_procedures (&count);
  for (guint i = 0; i < count; i++)
    {
      const StasisProcedure *row = &procedures[i];
      g_assert_true (stasis_procedure_find (row->program, row->number) == row);
      g_assert_true (stasis_procedure_by_name (row->program, row->name) == row);
    }
  g_assert_null (stasis_procedure_find (STASIS_PROGRAM_REMOTE, 0));
  g_assert_null (stasis_procedure_find (STASIS_PROGRAM_REMOTE, -1));
  g_assert_null (stasis_procedure_find (STASIS_PROGRAM_QEMU, 55));
  g_assert_null (stasis_procedure_by_name (STASIS_PROGRAM_QEMU, "domain-save"));
  g_assert_false (stasis_program_is_known (STASIS_PROGRAM_KEEPALIVE));
  g_assert_false (stasis_program_is_known (0));
}

/* What changes anything is named in libvirt by one of these words, and is not for readers. */
static void
test_access (void)
{
  static const char *const words[] = { "create",
                                       "define",
                                       "destroy",
                                       "reboot",
                                       "reset",
                                       "resume",
                                       "set-",
                                       "shutdown",
                                       "suspend",
                                       "restore",
                                       "-save",
                                       "remove",
                                       "abort",
                                       "associate",
                                       "monitor-command",
                                       "-undefine",
                                       "fs",
                                       "migrate",
                                       "agent",
                                       "get-time",
                                       "get-hostname",
                                       "send-key",
                                       "inject",
                                       "open-",
                                       "rename",
                                       "screenshot",
                                       "domain-capabilities",
                                       "monitor-event",
                                       "attach-device",
                                       "detach-device",
                                       "update-device" };
  static const char *const harmless[]
      = { "domain-has-managed-save-image", "domain-managed-save-get-xml-desc",
          "connect-num-of-defined-domains", "connect-list-defined-domains",
          "connect-get-hostname" };
  guint count;
  const StasisProcedure *procedures = stasis_procedures (&count);
  for (guint i = 0; i < count; i++)
    {
      if (procedures[i].program == STASIS_PROGRAM_OWN)
        continue;
      gboolean is_change = FALSE;
      for (guint j = 0; j < G_N_ELEMENTS (words); j++)
        is_change |= strstr (procedures[i].name, words[j]) != NULL;
      for (guint j = 0; j < G_N_ELEMENTS (harmless); j++)
        is_change &= strcmp (procedures[i].name, harmless[j]) != 0;
      if (is_change != (procedures[i].access == STASIS_ACCESS_WRITE))
        g_error ("%s: access %d", procedures[i].name, procedures[i].access);
    }
}

/* Of our own program readers may call what only looks at domains.  Files of the host, and the
 * guest's agent, are not for them, whatever is asked. */
static void
test_access_own (void)
{
  static const char *const readable[] = {
    "get-version",
    "cancel",
    "list-saved-clones",
    "get-qemu-version",
    "list-domains",
    "domain-get-state",
    "domain-get-info",
    "domain-get-memory-image",
    "domain-get-flat-file",
    "domain-get-image-check",
    "domain-get-tracked-image",
    "domain-get-clone-of",
    "domain-get-managed-save-path",
    "domain-get-job",
    "guests-list",
    NULL,
  };
  guint count;
  const StasisProcedure *procedures = stasis_procedures (&count);
  for (guint i = 0; i < count; i++)
    {
      if (procedures[i].program != STASIS_PROGRAM_OWN)
        continue;
      const gboolean is_readable = g_strv_contains (readable, procedures[i].name);
      if (is_readable != (procedures[i].access == STASIS_ACCESS_READ))
        g_error ("%s: access %d", procedures[i].name, procedures[i].access);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remote/procedures/rows", test_rows);
  g_test_add_func ("/remote/procedures/find", test_find);
  g_test_add_func ("/remote/procedures/access", test_access);
  g_test_add_func ("/remote/procedures/access-own", test_access_own);
  return g_test_run ();
}
