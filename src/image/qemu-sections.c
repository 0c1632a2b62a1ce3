/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-sections.c: the sections of QEMU's stream from the list of RAMBlocks to its end
 *
 * Theory of operation
 *
 * The RAM comes in a section of several parts: START with the list, any number of PARTs, END.  Each
 * part of a guest that was stopped before may have pages or none; a mapped body's have none.
 * Between them a QEMU of 10.0 sends the command "switchover start".  Other devices that send their
 * state in parts (VFIO, block dirty bitmaps) have a form of their own that nothing describes: they
 * are refused by name.
 *
 * Behind the last part stand the devices' sections, whose length is nowhere; see qemu-devices.c.
 */

#include "config.h"

#include "image/qemu-sections.h"

#include <glib/gi18n-lib.h>

#include "image/octets.h"
#include "image/qemu-wire.h"

void
stasis_qemu_sections_clear (StasisQemuSections *self)
{
  g_clear_pointer (&self->commands, g_byte_array_unref);
  g_clear_pointer (&self->rest, g_byte_array_unref);
}

static gboolean
take_id (StasisQemuInput *input, guint32 ram_id, GError **error)
{
  guint32 id;
  if (!stasis_qemu_input_take_u32 (input, &id, error))
    return FALSE;
  return id == ram_id
         || stasis_qemu_input_throw_corrupt (input, _ ("a part of an unknown section"), error);
}

static gboolean
take_footer (StasisQemuInput *input, guint32 ram_id, GError **error)
{
  guint8 octet;
  if (!stasis_qemu_input_take_u8 (input, &octet, error))
    return FALSE;
  if (octet != STASIS_QEMU_FOOTER)
    return stasis_qemu_input_throw_corrupt (input, _ ("the footer of a section is missing"), error);
  return take_id (input, ram_id, error);
}

/* Finish the section that lists the blocks. */
gboolean
stasis_qemu_sections_take_list_end (StasisQemuInput *input, guint32 ram_id, StasisQemuPages *pages,
                                    GError **error)
{
  return stasis_qemu_pages_take (input, pages, error) && take_footer (input, ram_id, error);
}

static gboolean
throw_section (StasisQemuInput *input, GError **error)
{
  char name[STASIS_QEMU_NAME_MAX + 1];
  guint32 id;
  if (!stasis_qemu_input_take_u32 (input, &id, error)
      || !stasis_qemu_input_take_name (input, name, error))
    return FALSE;
  g_autofree char *what
      = g_strdup_printf (_ ("'%1$s' sends its state in parts, which is not supported"), name);
  return stasis_qemu_input_throw (input, STASIS_IMAGE_ERROR_UNSUPPORTED, what, error);
}

static gboolean
take_command (StasisQemuInput *input, GByteArray *commands, GError **error)
{
  const guint8 *octets = stasis_qemu_input_borrow (input, 4, error);
  if (octets == NULL)
    return FALSE;
  const guint command = stasis_get_be16 (octets);
  if (command != STASIS_QEMU_COMMAND_SWITCHOVER_START || stasis_get_be16 (octets + 2) != 0)
    {
      g_autofree char *what = g_strdup_printf (_ ("command %1$u is not supported"), command);
      return stasis_qemu_input_throw (input, STASIS_IMAGE_ERROR_UNSUPPORTED, what, error);
    }
  if (commands->len > 0)
    return stasis_qemu_input_throw_corrupt (input, _ ("a command comes twice"), error);
  const guint8 section = STASIS_QEMU_COMMAND;
  g_byte_array_append (commands, &section, 1);
  g_byte_array_append (commands, octets, 4);
  return TRUE;
}

/* The section that @section begins, of those that come before the last part of the RAM. */
static gboolean
take_section (StasisQemuInput *input, guint8 section, guint32 ram_id, StasisQemuPages *pages,
              StasisQemuSections *self, GError **error)
{
  switch (section)
    {
    case STASIS_QEMU_SECTION_PART:
    case STASIS_QEMU_SECTION_END:
      return take_id (input, ram_id, error) && stasis_qemu_pages_take (input, pages, error)
             && take_footer (input, ram_id, error);
    case STASIS_QEMU_COMMAND:
      return take_command (input, self->commands, error);
    case STASIS_QEMU_SECTION_START:
      return throw_section (input, error);
    case STASIS_QEMU_SECTION_FULL:
    case STASIS_QEMU_EOF:
      return stasis_qemu_input_throw_corrupt (input, _ ("the last part of the RAM is missing"),
                                              error);
    default:
      return stasis_qemu_input_throw_corrupt (input, _ ("no section begins here"), error);
    }
}

/* Read the parts of the RAM, then all that is left. */
gboolean
stasis_qemu_sections_take (StasisQemuInput *input, guint32 ram_id, StasisQemuPages *pages,
                           StasisQemuSections *self, GError **error)
{
  guint8 section = STASIS_QEMU_SECTION_PART;
  self->commands = g_byte_array_new ();
  self->rest = g_byte_array_new ();
  while (section != STASIS_QEMU_SECTION_END)
    if (!stasis_qemu_input_take_u8 (input, &section, error)
        || !take_section (input, section, ram_id, pages, self, error))
      return FALSE;

  self->rest_offset = input->offset;
  return stasis_qemu_input_take_rest (input, self->rest, STASIS_QEMU_REST_MAX, error);
}

/* All before the pages. */
void
stasis_qemu_sections_append_front (const StasisQemuHead *head, const StasisImageRamMap *map,
                                   GByteArray *out)
{
  stasis_qemu_head_append (head, FALSE, out);
  for (guint i = 0; i < map->n_blocks; i++)
    {
      stasis_qemu_append_name (out, map->blocks[i].name);
      stasis_qemu_append_u64 (out, map->blocks[i].used_length);
    }
  stasis_qemu_append_ram_end (out, head->ram_id);
  stasis_qemu_append_u8 (out, STASIS_QEMU_SECTION_PART);
  stasis_qemu_append_u32 (out, head->ram_id);
}

/* All behind them. */
void
stasis_qemu_sections_append_back (const StasisQemuSections *self, guint32 ram_id, GByteArray *out)
{
  stasis_qemu_append_ram_end (out, ram_id);
  g_byte_array_append (out, self->commands->data, self->commands->len);
  stasis_qemu_append_ram_section (out, STASIS_QEMU_SECTION_END, ram_id);
  g_byte_array_append (out, self->rest->data, self->rest->len);
}

/* Where the last part of the RAM begins. */
gboolean
stasis_qemu_sections_find_last (StasisQemuInput *input, guint32 ram_id, StasisQemuPages *pages,
                                guint64 *out_offset, GError **error)
{
  g_auto (StasisQemuSections) sections = { .commands = g_byte_array_new () };
  guint64 last = 0;
  for (;;)
    {
      const guint64 offset = input->offset;
      guint8 section;
      if (!stasis_qemu_input_take_u8 (input, &section, error))
        return FALSE;
      if (last > 0 && (section == STASIS_QEMU_SECTION_FULL || section == STASIS_QEMU_EOF))
        break;
      if (!take_section (input, section, ram_id, pages, &sections, error))
        return FALSE;
      if (section != STASIS_QEMU_COMMAND)
        last = offset;
      if (section == STASIS_QEMU_SECTION_END)
        break;
    }
  *out_offset = last;
  return TRUE;
}
