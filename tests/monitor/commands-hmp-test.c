/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-hmp-test.c: tests of src/monitor/commands-hmp.c: the text of `info ramblock`
 */

#include "config.h"

#include "monitor/commands-query.h"

#include <string.h>

#define HEAD_OLD \
  "              Block Name    PSize              Offset               Used              " \
  "Total\r\n"
#define HEAD_NEW \
  "              Block Name    PSize              Offset               Used              Total " \
  "               HVA  RO\r\n"
#define RAM_OLD \
  "                  pc.ram    4 KiB  0x0000000000000000 0x0000000008000000 0x0000000008000000"
#define RAM_NEW RAM_OLD " 0x00007f066fe00000  rw\r\n"

typedef struct
{
  const char *name;
  const char *text;
  int n_blocks; /* -1: refused */
  guint64 host_address;
} Case;

static const Case cases[] = {
  { "qemu-7.2", HEAD_OLD RAM_OLD "\r\n" RAM_OLD "\r\n", 2, 0 },
  { "qemu-10.0", HEAD_NEW RAM_NEW RAM_NEW RAM_NEW, 3, 0x7f066fe00000 },
  { "no-blocks", HEAD_NEW, 0, 0 },
  { "later-column", "Block Name PSize Offset Used Total RO HVA Node\n" RAM_OLD " rw 0x10 -1\n", 1,
    0x10 },
  { "of-a-device-gone", HEAD_NEW RAM_NEW "  4 KiB 0x0 0x1000 0x1000 0x7fbc9ce00000 ro\r\n", 1,
    0x7f066fe00000 },
  { "empty", "", -1, 0 },
  { "no-headings", RAM_OLD, -1, 0 },
  { "unknown-command", "unknown command: 'info ramblock'\r\n", -1, 0 },
  { "other-headings", "Block Name Offset PSize Used Total\n", -1, 0 },
  { "field-missing", HEAD_NEW RAM_OLD "\n", -1, 0 },
  { "field-more", HEAD_OLD RAM_NEW, -1, 0 },
  { "name-with-blank", HEAD_OLD "a b 4 KiB 0x0 0x0 0x0\n", -1, 0 },
  { "not-hex", HEAD_OLD "a 4 KiB 0x0 0xg 0x0\n", -1, 0 },
  { "no-0x", HEAD_OLD "a 4 KiB 0x0 100 0x100\n", -1, 0 },
  { "only-0x", HEAD_OLD "a 4 KiB 0x 0x0 0x0\n", -1, 0 },
  { "negative", HEAD_OLD "a 4 KiB 0x-1 0x0 0x0\n", -1, 0 },
  { "too-large", HEAD_OLD "a 4 KiB 0x0 0x0 0x10000000000000000\n", -1, 0 },
  { "used-above-total", HEAD_OLD "a 4 KiB 0x0 0x2000 0x1000\n", -1, 0 },
  { "unknown-unit", HEAD_OLD "a 4 KB 0x0 0x0 0x0\n", -1, 0 },
  { "page-size-zero", HEAD_OLD "a 0 KiB 0x0 0x0 0x0\n", -1, 0 },
  { "page-size-huge", HEAD_OLD "a 99999999999 GiB 0x0 0x0 0x0\n", -1, 0 },
};

static void
test_parse (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) blocks = stasis_ram_blocks_parse (c->text, &error);
  if (c->n_blocks < 0)
    {
      g_assert_null (blocks);
      g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL);
      return;
    }
  g_assert_no_error (error);
  g_assert_cmpuint (blocks->len, ==, (guint) c->n_blocks);
  for (guint i = 0; i < blocks->len; i++)
    {
      const StasisRamBlock *block = g_ptr_array_index (blocks, i);
      g_assert_cmpstr (block->name, ==, "pc.ram");
      g_assert_cmpuint (block->page_size, ==, 4096);
      g_assert_cmpuint (block->used_length, ==, 0x8000000);
      g_assert_cmpuint (block->total_length, ==, 0x8000000);
      g_assert_cmpuint (block->host_address, ==, c->host_address);
    }
}

static void
test_page_sizes (void)
{
  static const struct
  {
    const char *text;
    guint64 size;
  } sizes[] = { { "512 B", 512 }, { "4 KiB", 4096 }, { "2 MiB", 2097152 }, { "1 GiB", 1 << 30 } };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *text
          = g_strdup_printf (HEAD_OLD "a %s 0x1000 0x2000 0x3000\n", sizes[i].text);
      g_autoptr (GPtrArray) blocks = stasis_ram_blocks_parse (text, NULL);
      const StasisRamBlock *block = g_ptr_array_index (blocks, 0);
      g_assert_cmpuint (block->page_size, ==, sizes[i].size);
      g_assert_cmpuint (block->offset, ==, 0x1000);
      g_assert_cmpuint (block->used_length, ==, 0x2000);
      g_assert_cmpuint (block->total_length, ==, 0x3000);
    }
}

/* More blocks than any machine has, and a text longer than any list. */
static void
test_limits (void)
{
  g_autoptr (GString) text = g_string_new (HEAD_OLD);
  for (int i = 0; i < 4096; i++)
    g_string_append (text, "a 4 KiB 0x0 0x0 0x0\n");
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) blocks = stasis_ram_blocks_parse (text->str, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (blocks->len, ==, 4096);
  g_string_append (text, "a 4 KiB 0x0 0x0 0x0\n");
  g_assert_null (stasis_ram_blocks_parse (text->str, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL);
  g_clear_error (&error);

  g_autofree char *blanks = g_strnfill (1024 * 1024, ' ');
  g_autofree char *long_text = g_strconcat (HEAD_OLD, blanks, NULL);
  g_assert_null (stasis_ram_blocks_parse (long_text, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/monitor/commands-hmp/parse/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_parse);
    }
  g_test_add_func ("/monitor/commands-hmp/page-sizes", test_page_sizes);
  g_test_add_func ("/monitor/commands-hmp/limits", test_limits);
  return g_test_run ();
}
