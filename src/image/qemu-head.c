/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-head.c: what QEMU's stream begins with: magic, configuration, head of the RAM
 *
 * See docs/save-image.md, "MAPPED_RAM"; in QEMU's tree that is migration/savevm.c (configuration,
 * section headers) and migration/ram.c (ram_save_setup).
 */

#include "config.h"

#include "image/qemu-head.h"

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/octets.h"
#include "image/types.h"

#define SUBSECTION_NAME_UUID "configuration/uuid"
#define SUBSECTION_NAME_PAGE "configuration/target-page-bits"
#define SUBSECTION_NAME_CAPS "configuration/capabilities"
#define MAPPED_RAM           "mapped-ram"

void
stasis_qemu_head_clear (StasisQemuHead *self)
{
  g_clear_pointer (&self->capabilities, g_ptr_array_unref);
}

/* What all streams of QEMU begin with. */
gboolean
stasis_qemu_head_take_magic (StasisQemuInput *input, GError **error)
{
  guint32 magic, version;
  if (!stasis_qemu_input_take_u32 (input, &magic, error)
      || !stasis_qemu_input_take_u32 (input, &version, error))
    return FALSE;
  return (magic == STASIS_QEMU_MAGIC && version == STASIS_QEMU_VERSION)
         || stasis_qemu_input_throw_corrupt (input, _ ("not the beginning of a stream of QEMU"),
                                             error);
}

static gboolean
take_capabilities (StasisQemuInput *input, StasisQemuHead *self, GError **error)
{
  guint32 count;
  if (!stasis_qemu_input_take_u32 (input, &count, error))
    return FALSE;
  if (count > STASIS_QEMU_CAPABILITIES_MAX)
    return stasis_qemu_input_throw_corrupt (input, _ ("too many capabilities"), error);

  g_clear_pointer (&self->capabilities, g_ptr_array_unref);
  self->capabilities = g_ptr_array_new_with_free_func (g_free);
  for (guint32 i = 0; i < count; i++)
    {
      char name[STASIS_QEMU_NAME_MAX + 1];
      if (!stasis_qemu_input_take_name (input, name, error))
        return FALSE;
      if (g_str_equal (name, "x-ignore-shared"))
        return stasis_qemu_input_throw (input, STASIS_IMAGE_ERROR_UNSUPPORTED,
                                        _ ("capability 'x-ignore-shared' is not supported"), error);
      if (g_str_equal (name, MAPPED_RAM))
        self->mapped_ram = TRUE;
      else
        g_ptr_array_add (self->capabilities, g_strdup (name));
    }
  return TRUE;
}

static gboolean
take_page_bits (StasisQemuInput *input, StasisQemuHead *self, GError **error)
{
  guint32 bits;
  if (!stasis_qemu_input_take_u32 (input, &bits, error))
    return FALSE;
  self->has_page_bits = TRUE;
  return bits == STASIS_QEMU_PAGE_BITS
         || stasis_qemu_input_throw (input, STASIS_IMAGE_ERROR_UNSUPPORTED,
                                     _ ("the guest's pages have another size than 4096 octets"),
                                     error);
}

static gboolean
take_subsection (StasisQemuInput *input, StasisQemuHead *self, GError **error)
{
  char name[STASIS_QEMU_NAME_MAX + 1];
  guint32 version;
  if (!stasis_qemu_input_take_name (input, name, error)
      || !stasis_qemu_input_take_u32 (input, &version, error))
    return FALSE;

  if (version == 1 && g_str_equal (name, SUBSECTION_NAME_CAPS))
    return take_capabilities (input, self, error);
  if (version == 1 && g_str_equal (name, SUBSECTION_NAME_PAGE))
    return take_page_bits (input, self, error);
  if (version == 1 && g_str_equal (name, SUBSECTION_NAME_UUID))
    {
      self->has_uuid = TRUE;
      return stasis_qemu_input_take (input, self->uuid, sizeof self->uuid, error);
    }
  return stasis_qemu_input_throw (input, STASIS_IMAGE_ERROR_UNSUPPORTED,
                                  _ ("unknown subsection of the configuration"), error);
}

static gboolean
take_machine (StasisQemuInput *input, StasisQemuHead *self, GError **error)
{
  guint8 section;
  guint32 length;
  if (!stasis_qemu_input_take_u8 (input, &section, error)
      || !stasis_qemu_input_take_u32 (input, &length, error))
    return FALSE;
  if (section != STASIS_QEMU_CONFIGURATION || length > STASIS_QEMU_MACHINE_MAX)
    return stasis_qemu_input_throw_corrupt (input, _ ("no configuration where it must be"), error);
  if (!stasis_qemu_input_take (input, self->machine, length, error))
    return FALSE;
  self->machine[length] = '\0';
  return g_utf8_validate (self->machine, length, NULL)
         || stasis_qemu_input_throw_corrupt (input, _ ("a name makes no sense"), error);
}

/* The configuration, and the octet that begins the next section. */
static gboolean
take_configuration (StasisQemuInput *input, StasisQemuHead *self, GError **error)
{
  guint8 section;
  if (!take_machine (input, self, error) || !stasis_qemu_input_take_u8 (input, &section, error))
    return FALSE;

  for (guint i = 0; section == STASIS_QEMU_SUBSECTION; i++)
    if (i >= STASIS_QEMU_SUBSECTIONS_MAX)
      return stasis_qemu_input_throw_corrupt (input, _ ("too many subsections"), error);
    else if (!take_subsection (input, self, error)
             || !stasis_qemu_input_take_u8 (input, &section, error))
      return FALSE;

  return section == STASIS_QEMU_SECTION_START
         || stasis_qemu_input_throw_corrupt (
             input, _ ("no section starts behind the configuration"), error);
}

/* The head of the "ram" section. */
static gboolean
take_ram_head (StasisQemuInput *input, StasisQemuHead *self, GError **error)
{
  guint32 instance, version;
  char name[STASIS_QEMU_NAME_MAX + 1];
  if (!stasis_qemu_input_take_u32 (input, &self->ram_id, error)
      || !stasis_qemu_input_take_name (input, name, error)
      || !stasis_qemu_input_take_u32 (input, &instance, error)
      || !stasis_qemu_input_take_u32 (input, &version, error)
      || !stasis_qemu_input_take_u64 (input, &self->ram_total, error))
    return FALSE;
  if (!g_str_equal (name, "ram") || instance != 0)
    return stasis_qemu_input_throw_corrupt (input, _ ("the first section is not 'ram'"), error);
  if (version != STASIS_QEMU_RAM_VERSION)
    return stasis_qemu_input_throw (input, STASIS_IMAGE_ERROR_UNSUPPORTED,
                                    _ ("unknown version of 'ram'"), error);
  if (self->ram_total % STASIS_IMAGE_PAGE_SIZE != STASIS_QEMU_RAM_MEM_SIZE)
    return stasis_qemu_input_throw_corrupt (input, _ ("the list of RAM blocks is missing"), error);
  self->ram_total -= STASIS_QEMU_RAM_MEM_SIZE;
  return TRUE;
}

/* As far as the total of the RAM. */
gboolean
stasis_qemu_head_take (StasisQemuInput *input, StasisQemuHead *self, GError **error)
{
  return stasis_qemu_head_take_magic (input, error) && take_configuration (input, self, error)
         && take_ram_head (input, self, error);
}

/* The same for a stream that has its pages in it. */
gboolean
stasis_qemu_head_take_plain (StasisQemuInput *input, StasisQemuHead *self, GError **error)
{
  return stasis_qemu_head_take (input, self, error)
         && (!self->mapped_ram
             || stasis_qemu_input_throw (input, STASIS_IMAGE_ERROR_UNSUPPORTED,
                                         _ ("written with 'mapped-ram', not a plain stream"),
                                         error));
}

/* TRUE where a block may have that length. */
gboolean
stasis_qemu_head_check_length (guint64 used_length, guint64 left)
{
  return used_length > 0 && used_length % STASIS_IMAGE_PAGE_SIZE == 0 && used_length <= left;
}

static gboolean
take_block (StasisQemuInput *input, guint64 left, GHashTable *names, StasisImageBlock *block,
            GError **error)
{
  if (!stasis_qemu_input_take_name (input, block->name, error)
      || !stasis_qemu_input_take_u64 (input, &block->used_length, error))
    return FALSE;
  if (!stasis_qemu_head_check_length (block->used_length, left))
    return stasis_qemu_input_throw_corrupt (input, _ ("the length of a RAM block makes no sense"),
                                            error);
  block->page_size = STASIS_IMAGE_PAGE_SIZE;
  block->bitmap_length = stasis_round_up (block->used_length / STASIS_IMAGE_PAGE_SIZE, 64) / 8;
  return g_hash_table_add (names, g_strdup (block->name))
         || stasis_qemu_input_throw_corrupt (input, _ ("two RAM blocks have the same name"), error);
}

static gboolean
take_blocks (StasisQemuInput *input, GArray *blocks, guint64 total, GError **error)
{
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint64 left = total; left > 0;)
    {
      StasisImageBlock block = { .used_length = 0 };
      if (blocks->len >= STASIS_IMAGE_BLOCKS_MAX)
        return stasis_qemu_input_throw_corrupt (input, _ ("too many RAM blocks"), error);
      if (!take_block (input, left, names, &block, error))
        return FALSE;
      left -= block.used_length;
      g_array_append_val (blocks, block);
    }
  return TRUE;
}

/* The blocks of a stream without mapped-ram. */
StasisImageRamMap *
stasis_qemu_head_take_blocks (StasisQemuInput *input, const StasisQemuHead *self, GError **error)
{
  g_autoptr (GArray) blocks = g_array_new (FALSE, TRUE, sizeof (StasisImageBlock));
  if (self->ram_total == 0 || self->ram_total > STASIS_IMAGE_END_MAX)
    {
      stasis_qemu_input_throw_corrupt (input, _ ("the total of the RAM makes no sense"), error);
      return NULL;
    }
  return take_blocks (input, blocks, self->ram_total, error)
             ? stasis_image_ram_map_new (g_steal_pointer (&blocks))
             : NULL;
}

void
stasis_qemu_append_u8 (GByteArray *out, guint8 value)
{
  g_byte_array_append (out, &value, 1);
}

void
stasis_qemu_append_u32 (GByteArray *out, guint32 value)
{
  guint8 octets[4];
  stasis_put_be32 (octets, value);
  g_byte_array_append (out, octets, sizeof octets);
}

void
stasis_qemu_append_u64 (GByteArray *out, guint64 value)
{
  guint8 octets[8];
  stasis_put_be64 (octets, value);
  g_byte_array_append (out, octets, sizeof octets);
}

/* Append a length octet and a name. */
void
stasis_qemu_append_name (GByteArray *out, const char *name)
{
  const guint length = (guint) strlen (name);
  stasis_qemu_append_u8 (out, (guint8) length);
  g_byte_array_append (out, (const guint8 *) name, length);
}

static void
append_subsection (GByteArray *out, const char *name)
{
  stasis_qemu_append_u8 (out, STASIS_QEMU_SUBSECTION);
  stasis_qemu_append_name (out, name);
  stasis_qemu_append_u32 (out, 1);
}

/* QEMU leaves the list out where it is empty. */
static void
append_capabilities (GByteArray *out, const StasisQemuHead *self, gboolean mapped_ram)
{
  const guint n_others = self->capabilities != NULL ? self->capabilities->len : 0;
  if (n_others == 0 && !mapped_ram)
    return;

  append_subsection (out, SUBSECTION_NAME_CAPS);
  stasis_qemu_append_u32 (out, n_others + (mapped_ram ? 1 : 0));
  for (guint i = 0; i < n_others; i++)
    stasis_qemu_append_name (out, g_ptr_array_index (self->capabilities, i));
  if (mapped_ram)
    stasis_qemu_append_name (out, MAPPED_RAM);
}

/* Append what stasis_qemu_head_take() reads. */
void
stasis_qemu_head_append (const StasisQemuHead *self, gboolean mapped_ram, GByteArray *out)
{
  const guint machine_length = (guint) strlen (self->machine);
  stasis_qemu_append_u32 (out, STASIS_QEMU_MAGIC);
  stasis_qemu_append_u32 (out, STASIS_QEMU_VERSION);
  stasis_qemu_append_u8 (out, STASIS_QEMU_CONFIGURATION);
  stasis_qemu_append_u32 (out, machine_length);
  g_byte_array_append (out, (const guint8 *) self->machine, machine_length);
  if (self->has_page_bits)
    {
      append_subsection (out, SUBSECTION_NAME_PAGE);
      stasis_qemu_append_u32 (out, STASIS_QEMU_PAGE_BITS);
    }
  append_capabilities (out, self, mapped_ram);
  if (self->has_uuid)
    {
      append_subsection (out, SUBSECTION_NAME_UUID);
      g_byte_array_append (out, self->uuid, sizeof self->uuid);
    }

  stasis_qemu_append_u8 (out, STASIS_QEMU_SECTION_START);
  stasis_qemu_append_u32 (out, self->ram_id);
  stasis_qemu_append_name (out, "ram");
  stasis_qemu_append_u32 (out, 0);
  stasis_qemu_append_u32 (out, STASIS_QEMU_RAM_VERSION);
  stasis_qemu_append_u64 (out, self->ram_total | STASIS_QEMU_RAM_MEM_SIZE);
}

/* Append the end of a RAM section. */
void
stasis_qemu_append_ram_end (GByteArray *out, guint32 ram_id)
{
  stasis_qemu_append_u64 (out, STASIS_QEMU_RAM_EOS);
  stasis_qemu_append_u8 (out, STASIS_QEMU_FOOTER);
  stasis_qemu_append_u32 (out, ram_id);
}

/* Append a RAM section without pages. */
void
stasis_qemu_append_ram_section (GByteArray *out, guint8 section, guint32 ram_id)
{
  stasis_qemu_append_u8 (out, section);
  stasis_qemu_append_u32 (out, ram_id);
  stasis_qemu_append_ram_end (out, ram_id);
}
