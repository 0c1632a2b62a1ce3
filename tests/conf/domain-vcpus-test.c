/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-vcpus-test.c: tests of conf/domain-vcpus.c
 */

#include "config.h"

#include <string.h>

#include "conf-test.h"

#define DOMAIN(vcpus) \
  "<domain type='kvm'><name>d</name><memory>65536</memory>" vcpus \
  "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"

static void
set_live (StasisDomainDef *def, guint count)
{
  const gboolean those[4] = { TRUE, count > 1, count > 2, count > 3 };
  stasis_domain_def_set_live_vcpus (def, those);
}

/* One that is not the last has gone. */
static void
test_gap (void)
{
  g_autoptr (StasisDomainDef) def = conf_test_parse (DOMAIN ("<vcpu current='1'>4</vcpu>"));
  const gboolean those[] = { FALSE, TRUE, FALSE, TRUE };
  stasis_domain_def_set_live_vcpus (def, those);
  g_assert_cmpint (def->current_vcpus, ==, 3);
  g_autofree char *xml = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_MIGRATABLE);
  g_autoptr (StasisDomainDef) again = conf_test_parse (xml);
  g_assert_nonnull (strstr (xml, "<vcpu id='2' enabled='no' hotpluggable='yes'/>"));
  g_assert_nonnull (strstr (xml, "<vcpu id='3' enabled='yes' hotpluggable='yes' order='3'/>"));
  g_assert_cmpint (stasis_domain_def_boot_vcpus (again), ==, 1);
  for (guint i = 0; i < 4; i++)
    g_assert_cmpint (stasis_domain_def_has_vcpu (again, i), ==, i != 2);
}

/* Some come and go: how many QEMU begins with stays, also in an image. */
static void
test_live (void)
{
  g_autoptr (StasisDomainDef) def = conf_test_parse (DOMAIN ("<vcpu current='2'>4</vcpu>"));
  g_assert_cmpint (stasis_domain_def_boot_vcpus (def), ==, 2);
  set_live (def, 4);
  g_assert_cmpint (def->current_vcpus, ==, STASIS_UNSET);
  g_assert_cmpint (stasis_domain_def_boot_vcpus (def), ==, 2);
  set_live (def, 3);

  g_autofree char *xml = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_MIGRATABLE);
  g_assert_nonnull (strstr (xml, "<vcpu id='2' enabled='yes' hotpluggable='yes' order='3'/>"));
  g_autoptr (StasisDomainDef) again = conf_test_parse (xml);
  g_autoptr (GError) error = NULL;
  stasis_domain_def_check_abi (def, again, &error);
  g_assert_no_error (error);
  g_assert_cmpint (again->current_vcpus, ==, 3);
  g_assert_cmpint (stasis_domain_def_boot_vcpus (again), ==, 2);

  set_live (def, 2);
  g_autofree char *bare = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_INACTIVE);
  g_assert_null (strstr (bare, "<vcpus>"));
  stasis_domain_def_set_boot_vcpus (again, 4);
  g_assert_cmpint (stasis_domain_def_boot_vcpus (again), ==, 4);
}

static void
test_refused (void)
{
#define ONE(id, enabled, hotpluggable) \
  "<vcpu id='" id "' enabled='" enabled "' hotpluggable='" hotpluggable "'/>"
  static const char *const wrong[] = {
    ONE ("0", "yes", "no"),                                                 /* one is missing */
    ONE ("0", "yes", "yes") ONE ("1", "yes", "yes") ONE ("2", "no", "yes"), /* none to begin with */
    ONE ("0", "yes", "no") ONE ("1", "yes", "yes") ONE ("2", "yes", "no"),  /* not in a row */
    ONE ("0", "yes", "no") ONE ("1", "no", "yes") ONE ("2", "no", "yes"),   /* too few */
    ONE ("0", "yes", "no") ONE ("2", "yes", "yes") ONE ("1", "no", "yes"),  /* another order */
    ONE ("0", "yes", "no") ONE ("1", "yes", "yes") ONE ("2", "yes", "yes"), /* too many */
  };
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autofree char *xml
          = g_strdup_printf (DOMAIN ("<vcpu current='2'>3</vcpu><vcpus>%s</vcpus>"), wrong[i]);
      g_autoptr (GError) error = NULL;
      g_assert_null (stasis_domain_def_parse (xml, -1, NULL, &conf_test_context,
                                              STASIS_DOMAIN_PARSE_DEFAULT, &error));
      g_assert_nonnull (strstr (error->message, "/domain/vcpus"));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/conf/domain-vcpus/live", test_live);
  g_test_add_func ("/conf/domain-vcpus/gap", test_gap);
  g_test_add_func ("/conf/domain-vcpus/refused", test_refused);
  return g_test_run ();
}
