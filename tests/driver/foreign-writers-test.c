/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * foreign-writers-test.c: tests of src/driver/foreign-writers.c; integration/foreign-test.py asks a
 * real QEMU
 */

#include "config.h"

#include "driver/foreign-writers.h"

static void
test_net (void)
{
  static const struct
  {
    const char *text;
    const char *name;
    const char *kind;
  } cases[] = {
    { "", NULL, NULL },
    { "virtio-net-pci.0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56\n"
      " \\ hostnet0: index=0,type=tap,fd=27\n",
      NULL, NULL },
    { "net1: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:57\n"
      " \\ #net1: index=0,type=vhost-user,vhost-user0 to vu\n",
      "#net1", "vhost-user" },
    { "others: index=0,type=vhost-user,\r\n", "others", "vhost-user" },
    { "a: index=0,type=user,net=10.0.2.0\nb: index=0,type=vhost-vdpa,vhost-vdpa: uses dev\n", "b",
      "vhost-vdpa" },
    { "type=vhost-user,\n: \n", NULL, NULL },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *kind = NULL;
      g_autofree char *name = stasis_foreign_writers_find_net (cases[i].text, &kind);
      g_assert_cmpstr (name, ==, cases[i].name);
      g_assert_cmpstr (kind, ==, cases[i].kind);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/foreign-writers/net", test_net);
  return g_test_run ();
}
