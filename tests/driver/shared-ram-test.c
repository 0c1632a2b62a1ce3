/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shared-ram-test.c: tests of src/driver/shared-ram.c
 */

#include "config.h"

#include "driver/shared-ram.h"

#include <stasis/error.h>
#include <unistd.h>

#include "driver/command.h"
#include "util/fd.h"

#define DOMAIN(backing) \
  "<domain type='qemu'><name>d</name><memory>65536</memory>" backing \
  "<vcpu>1</vcpu><os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os></domain>"

static StasisDomainDef *
parse (const char *xml)
{
  g_autoptr (GError) error = NULL;
  StasisDomainDef *def
      = stasis_domain_def_parse (xml, -1, "d.xml", NULL, STASIS_DOMAIN_PARSE_DEFAULT, &error);
  g_assert_no_error (error);
  return def;
}

typedef struct
{
  const char *test;
  const char *xml;
  gboolean is_wanted;
} Case;

static const Case cases[] = {
  { "plain", DOMAIN (""), FALSE },
  { "memfd", DOMAIN ("<memoryBacking><source type='memfd'/></memoryBacking>"), TRUE },
  { "memfd-shared",
    DOMAIN ("<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"), TRUE },
  { "memfd-private",
    DOMAIN ("<memoryBacking><source type='memfd'/><access mode='private'/></memoryBacking>"),
    FALSE },
  { "file", DOMAIN ("<memoryBacking><source type='file'/></memoryBacking>"), FALSE },
  { "file-shared",
    DOMAIN ("<memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>"), TRUE },
  { "huge", DOMAIN ("<memoryBacking><hugepages/><access mode='shared'/></memoryBacking>"), FALSE },
};

static void
test_wanted (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (StasisDomainDef) def = parse (c->xml);
  g_assert_cmpint (stasis_shared_ram_is_wanted (def), ==, c->is_wanted);
}

/* What is found is the very same memory. */
static void
test_found (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisDomainDef) def = parse (cases[1].xml);
  const guint64 size = (guint64) stasis_command_ram_size (def);
  StasisProcess self;
  g_assert_true (stasis_process_lookup (getpid (), &self));
  g_assert_cmpint (stasis_shared_ram_open (&self, size, &error), ==, -1);
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
  g_clear_error (&error);

  stasis_autofd int made = stasis_shared_ram_make (def, &error);
  g_assert_no_error (error);
  g_assert_cmpint (pwrite (made, "x", 1, 4096), ==, 1);
  g_assert_cmpint (stasis_shared_ram_open (&self, size + 4096, NULL), ==, -1);
  stasis_autofd int found = stasis_shared_ram_open (&self, size, &error);
  g_assert_no_error (error);
  char octet = 0;
  g_assert_cmpint (pread (found, &octet, 1, 4096), ==, 1);
  g_assert_cmpint (octet, ==, 'x');
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/driver/shared-ram/wanted/", cases[i].test, NULL);
      g_test_add_data_func (path, &cases[i], test_wanted);
    }
  g_test_add_func ("/driver/shared-ram/found", test_found);
  return g_test_run ();
}
