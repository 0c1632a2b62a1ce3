/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-pages.c: the pages in QEMU's plain stream
 *
 * Each begins with its address in the RAMBlock, flags in the bits below the page size, and the name
 * of the block unless it is that of the page before (migration/ram.c, ram_load_precopy).
 */

#include "config.h"

#include "image/qemu-pages.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>

#include "image/octets.h"
#include "image/qemu-wire.h"
#include "image/types.h"

void
stasis_qemu_pages_init (StasisQemuPages *self, const StasisImageBlock *blocks, guint n_blocks)
{
  self->blocks = blocks;
  self->n_blocks = n_blocks;
  self->current = NULL;
  self->index = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < n_blocks; i++)
    g_hash_table_insert (self->index, (gpointer) blocks[i].name, GUINT_TO_POINTER (i + 1));
}

void
stasis_qemu_pages_clear (StasisQemuPages *self)
{
  g_clear_pointer (&self->index, g_hash_table_unref);
}

static gboolean
throw_flags (const StasisQemuInput *input, guint flags, GError **error)
{
  static const struct
  {
    guint flag;
    const char *name;
  } known[] = { { STASIS_QEMU_RAM_XBZRLE, "XBZRLE" },
                { STASIS_QEMU_RAM_HOOK, "RDMA" },
                { STASIS_QEMU_RAM_COMPRESS_PAGE, "compress" },
                { STASIS_QEMU_RAM_MEM_SIZE, "MEM_SIZE" } };
  for (gsize i = 0; i < G_N_ELEMENTS (known); i++)
    if ((flags & ~STASIS_QEMU_RAM_CONTINUE) == known[i].flag)
      {
        g_autofree char *what
            = g_strdup_printf (_ ("RAM sent by way of %1$s is not supported"), known[i].name);
        return stasis_qemu_input_throw (input, STASIS_IMAGE_ERROR_UNSUPPORTED, what, error);
      }
  g_autofree char *what = g_strdup_printf (_ ("unknown flags of a page: %1$#x"), flags);
  return stasis_qemu_input_throw_corrupt (input, what, error);
}

/* The block of the next page. */
static gboolean
take_block (StasisQemuInput *input, StasisQemuPages *self, guint flags, GError **error)
{
  if ((flags & STASIS_QEMU_RAM_CONTINUE) != 0)
    return self->current != NULL
           || stasis_qemu_input_throw_corrupt (input, _ ("the first page has no RAM block"), error);

  char name[STASIS_QEMU_NAME_MAX + 1];
  if (!stasis_qemu_input_take_name (input, name, error))
    return FALSE;
  const guint found = GPOINTER_TO_UINT (g_hash_table_lookup (self->index, name));
  if (found == 0)
    return stasis_qemu_input_throw_corrupt (input, _ ("a page of an unknown RAM block"), error);
  self->current = &self->blocks[found - 1];
  return TRUE;
}

static gboolean
take_page (StasisQemuInput *input, StasisQemuPages *self, guint64 address, guint flags,
           GError **error)
{
  if (self->page == NULL)
    return stasis_qemu_input_throw_corrupt (input, _ ("a page outside of its place"), error);
  if (!take_block (input, self, flags, error))
    return FALSE;
  if (address >= self->current->used_length)
    {
      g_autofree char *what = g_strdup_printf (_ ("RAM block '%1$s' has no page at %2$#" PRIx64),
                                               self->current->name, address);
      return stasis_qemu_input_throw_corrupt (input, what, error);
    }

  guint8 fill = 0;
  const guint8 *octets = NULL;
  if ((flags & STASIS_QEMU_RAM_ZERO) != 0)
    {
      if (!stasis_qemu_input_take_u8 (input, &fill, error))
        return FALSE;
    }
  else
    {
      octets = stasis_qemu_input_borrow (input, STASIS_IMAGE_PAGE_SIZE, error);
      if (octets == NULL)
        return FALSE;
    }
  return self->page (self, (guint) (self->current - self->blocks), address / STASIS_IMAGE_PAGE_SIZE,
                     octets, fill, error);
}

static gboolean
settle (gpointer data, GError **error)
{
  StasisQemuPages *self = data;
  return self->settle (self, error);
}

static gboolean
take_pages (StasisQemuInput *input, StasisQemuPages *self, GError **error)
{
  for (;;)
    {
      guint64 word;
      if (!stasis_qemu_input_take_u64 (input, &word, error))
        return FALSE;
      const guint flags = word % STASIS_IMAGE_PAGE_SIZE;
      const guint kind = flags & ~STASIS_QEMU_RAM_CONTINUE;
      if (word == STASIS_QEMU_RAM_EOS)
        return TRUE;
      if (word == STASIS_QEMU_RAM_MULTIFD_FLUSH)
        continue;
      if (kind != STASIS_QEMU_RAM_PAGE && kind != STASIS_QEMU_RAM_ZERO)
        return throw_flags (input, flags, error);
      if (!take_page (input, self, word - flags, flags, error))
        return FALSE;
    }
}

/* Read pages as far as the end of their section. */
gboolean
stasis_qemu_pages_take (StasisQemuInput *input, StasisQemuPages *self, GError **error)
{
  if (self->settle != NULL)
    {
      input->before_refill = settle;
      input->data = self;
    }
  const gboolean ok = take_pages (input, self, error);
  input->before_refill = NULL;
  return ok && (self->settle == NULL || self->settle (self, error));
}
