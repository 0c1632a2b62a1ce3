/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text-test.c: tables, units, suggestions, JSON for people, a look into XML
 */

#include "config.h"

#include "cli/json-text.h"
#include "cli/suggest.h"
#include "cli/table.h"
#include "cli/units.h"
#include "util/xml-peek.h"

static void
test_table (void)
{
  const char *titles[] = { "Id", "Name", "State", NULL };
  const char *one[] = { "1", "web", "running" };
  const char *two[] = { "-", "büro\x1b", "shut off" };
  g_autoptr (StasisCliTable) table = stasis_cli_table_new (titles);

  g_autofree char *empty = stasis_cli_table_to_string (table, TRUE);
  g_assert_cmpstr (empty, ==, " Id   Name   State\n--------------------\n");

  stasis_cli_table_append (table, one);
  stasis_cli_table_append (table, two);
  g_autofree char *with_head = stasis_cli_table_to_string (table, TRUE);
  g_assert_cmpstr (with_head, ==,
                   " Id   Name       State\n"
                   "---------------------------\n"
                   " 1    web        running\n"
                   " -    büro\\x1b   shut off\n");
  g_autofree char *bare = stasis_cli_table_to_string (table, FALSE);
  g_assert_cmpstr (bare, ==, " 1   web        running\n -   büro\\x1b   shut off\n");
}

static void
test_octets (void)
{
  static const struct
  {
    guint64 octets;
    const char *text;
  } cases[] = {
    { 0, "0 B" },
    { 1023, "1023 B" },
    { 1024, "1.0 KiB" },
    { 1536, "1.5 KiB" },
    { (1u << 20) - 1, "1.0 MiB" },
    { (1u << 30) - 4, "1.0 GiB" },
    { 1u << 30, "1.0 GiB" },
    { G_MAXUINT64, "16.0 EiB" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = stasis_cli_format_octets (cases[i].octets);
      g_assert_cmpstr (text, ==, cases[i].text);
    }
}

static void
test_time (void)
{
  static const struct
  {
    gint64 seconds;
    const char *text;
  } cases[] = { { -5, "0:00" }, { 7, "0:07" }, { 750, "12:30" }, { 3723, "1:02:03" } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = stasis_cli_format_time (cases[i].seconds * G_USEC_PER_SEC);
      g_assert_cmpstr (text, ==, cases[i].text);
    }
}

static void
test_width (void)
{
  g_assert_cmpuint (stasis_cli_text_width (""), ==, 0);
  g_assert_cmpuint (stasis_cli_text_width ("büro"), ==, 4);
  g_assert_cmpuint (stasis_cli_text_width ("漢字"), ==, 4);
  g_assert_cmpuint (stasis_cli_text_width ("e\xcc\x81"), ==, 1);
  g_assert_cmpuint (stasis_cli_text_width ("\xff\xfe"), ==, 2);
}

static void
test_suggest (void)
{
  static const char *const words[]
      = { "list", "save", "save-image-edit", "start", "restore", "dumpxml", "domstate", NULL };
  static const struct
  {
    const char *word;
    const char *near;
  } cases[] = {
    { "lisst", "list" },
    { "saev", "save" },
    { "restorx", "restore" },
    { "dumpx", "dumpxml" },
    { "domst", "domstate" },
    { "zzzz", NULL },
    { "x", NULL },
    { "", NULL },
    { "xdumpxml", "dumpxml" },
    { "save-image", "save-image-edit" },
    { "a-word-far-longer-than-any-command-there-may-ever-be", NULL },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpstr (stasis_cli_suggest (cases[i].word, words), ==, cases[i].near);
}

static void
test_json_text (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJson) json = stasis_json_parse (
      "{\"kind\":\"stasis\",\"file_size\":18446744073709551615,\"complete\":true,\"parent\":null,"
      "\"domain\":{\"uuid\":\"u\",\"name\":\"a\\u001b[2J\\u202e\"},\"ram\":[{\"name\":\"pc.ram\","
      "\"size\":"
      "1},"
      "{\"name\":\"vga\",\"size\":2}],\"tags\":[\"a\",[1]],\"disks\":[]}",
      -1, &error);
  g_assert_no_error (error);
  g_autofree char *text = stasis_cli_json_to_text (json);
  g_assert_cmpstr (text, ==,
                   "Kind:           stasis\n"
                   "File size:      18446744073709551615\n"
                   "Complete:       yes\n"
                   "Parent:         -\n"
                   "Domain:\n"
                   "  UUID:           u\n"
                   "  Name:           a\\x1b[2J\\u202e\n"
                   "RAM:\n"
                   "  - Name:           pc.ram\n"
                   "    Size:           1\n"
                   "  - Name:           vga\n"
                   "    Size:           2\n"
                   "Tags:\n"
                   "  - a\n"
                   "  - \n"
                   "    - 1\n"
                   "Disks:          -\n");
}

static void
test_json_text_long (void)
{
  g_autoptr (StasisJson) outer = stasis_json_new_object ();
  StasisJson *props = stasis_json_new_object ();
  for (guint i = 0; i < 41; i++)
    {
      g_autofree char *key = g_strdup_printf ("key%u", i);
      stasis_json_set_boolean (props, key, TRUE);
    }
  stasis_json_set (outer, "props", props);
  g_autofree char *text = stasis_cli_json_to_text (outer);
  g_assert_cmpstr (text, ==, "Props:          41 entries (see --json)\n");
}

static void
test_xml_peek (void)
{
  static const struct
  {
    const char *xml;
    const char *path;
    const char *text;
  } cases[] = {
    { "<domain><title> A &amp; B </title></domain>", "domain/title", "A & B" },
    { "<domain><os><type arch='x'>hvm</type></os></domain>", "domain/os/type", "hvm" },
    { "<domain><x><title>no</title></x><title>yes</title></domain>", "domain/title", "yes" },
    { "<domain><title>one</title><title>two</title></domain>", "domain/title", "one" },
    { "<domain><title>a<b>c</b>d</title></domain>", "domain/title", "ad" },
    { "<domain><title/></domain>", "domain/title", "" },
    { "<domain/>", "domain/title", NULL },
    { "<other><title>x</title></other>", "domain/title", NULL },
    { "<domain><title>cut", "domain/title", NULL },
    { "not xml", "domain/title", NULL },
    { "", "domain/title", NULL },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = stasis_xml_peek (cases[i].xml, cases[i].path);
      g_assert_cmpstr (text, ==, cases[i].text);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cli/table/virsh", test_table);
  g_test_add_func ("/cli/units/octets", test_octets);
  g_test_add_func ("/cli/units/time", test_time);
  g_test_add_func ("/cli/units/width", test_width);
  g_test_add_func ("/cli/suggest/cases", test_suggest);
  g_test_add_func ("/cli/json-text/layout", test_json_text);
  g_test_add_func ("/cli/json-text/long", test_json_text_long);
  g_test_add_func ("/cli/xml-peek/cases", test_xml_peek);
  return g_test_run ();
}
