/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * firmware.c: finding the firmware behind <os firmware='efi'>
 *
 * A definition may ask for UEFI without naming files.  The distribution describes its firmware
 * images in /usr/share/qemu/firmware/NN-NAME.json (schema: QEMU's docs/interop/firmware.json),
 * the administrator's own in /etc/qemu/firmware; the first one that fits, by name, is taken and
 * written into the definition, so that the guest keeps it.
 */

#include "config.h"

#include "driver/firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/atomic-file.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/safe-open.h"

#define DESCRIPTOR_SIZE_MAX (1024u * 1024u)
#define NVRAM_SIZE_MAX      (64u * 1024u * 1024u)

static const char *const folders[] = { "/etc/qemu/firmware", "/usr/share/qemu/firmware" };

static gboolean
array_has (const StasisJson *array, const char *word)
{
  for (guint i = 0; i < stasis_json_array_length (array); i++)
    if (g_strcmp0 (stasis_json_string (stasis_json_array_get (array, i), NULL), word) == 0)
      return TRUE;
  return FALSE;
}

/* TRUE where one of the descriptor's targets is this architecture and machine. */
static gboolean
has_target (const StasisJson *json, const StasisDomainDef *def)
{
  const StasisJson *targets = stasis_json_get (json, "targets");
  for (guint i = 0; i < stasis_json_array_length (targets); i++)
    {
      const StasisJson *target = stasis_json_array_get (targets, i);
      const char *arch = stasis_json_string (stasis_json_get (target, "architecture"), "");
      const StasisJson *machines = stasis_json_get (target, "machines");
      for (guint m = 0; g_str_equal (arch, "x86_64") && m < stasis_json_array_length (machines);
           m++)
        {
          const char *glob = stasis_json_string (stasis_json_array_get (machines, m), "");
          if (g_pattern_match_simple (glob, def->os.machine))
            return TRUE;
        }
    }
  return FALSE;
}

/* The features that the definition asks for, or forbids.  Firmware that needs SMM is passed over
 * unless the definition has it on: the guest would not boot. */
static gboolean
has_features (const StasisJson *json, const StasisDomainDef *def)
{
  const StasisJson *features = stasis_json_get (json, "features");
  for (guint i = 0; i < def->os.firmware_features->len; i++)
    {
      const StasisFirmwareFeatureDef *wanted = g_ptr_array_index (def->os.firmware_features, i);
      if (wanted->enabled != STASIS_TRISTATE_UNSET
          && array_has (features, wanted->name) != (wanted->enabled == STASIS_TRISTATE_ON))
        return FALSE;
    }
  if (def->os.loader_secure == STASIS_TRISTATE_ON && !array_has (features, "secure-boot"))
    return FALSE;
  return !array_has (features, "requires-smm") || def->features.smm == STASIS_TRISTATE_ON;
}

static const char *
file_name (const StasisJson *mapping, const char *member)
{
  const StasisJson *file = stasis_json_get (mapping, member);
  return stasis_json_string (stasis_json_get (file, "filename"), NULL);
}

/* Take the descriptor over into the definition where it fits. */
static gboolean
try_descriptor (const char *path, StasisDomainDef *def)
{
  g_autofree char *text = NULL;
  gsize size = 0;
  if (!g_file_get_contents (path, &text, &size, NULL) || size > DESCRIPTOR_SIZE_MAX)
    return FALSE;
  g_autoptr (StasisJson) json = stasis_json_parse (text, (gssize) size, NULL);
  if (json == NULL || !array_has (stasis_json_get (json, "interface-types"), "uefi")
      || !has_target (json, def) || !has_features (json, def))
    return FALSE;

  const StasisJson *mapping = stasis_json_get (json, "mapping");
  const StasisJson *executable = stasis_json_get (mapping, "executable");
  const char *device = stasis_json_string (stasis_json_get (mapping, "device"), "");
  const char *format = stasis_json_string (stasis_json_get (executable, "format"), "raw");
  const char *code = file_name (mapping, "executable");
  const char *template = file_name (mapping, "nvram-template");
  if (!g_str_equal (device, "flash") || !g_str_equal (format, "raw") || code == NULL
      || template == NULL || access (code, R_OK) < 0 || access (template, R_OK) < 0)
    return FALSE;

  def->os.loader = g_strdup (code);
  def->os.loader_readonly = STASIS_TRISTATE_ON;
  def->os.loader_type = STASIS_LOADER_PFLASH;
  if (def->os.nvram_template == NULL)
    def->os.nvram_template = g_strdup (template);
  return TRUE;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static gboolean
search (const char *folder, StasisDomainDef *def)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const char *entry;
  while (dir != NULL && (entry = g_dir_read_name (dir)) != NULL)
    if (g_str_has_suffix (entry, ".json"))
      g_ptr_array_add (names, g_strdup (entry));

  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *path = g_build_filename (folder, g_ptr_array_index (names, i), NULL);
      if (try_descriptor (path, def))
        return TRUE;
    }
  return FALSE;
}

/* Fill in loader and NVRAM. */
gboolean
stasis_firmware_resolve (StasisDomainDef *def, const StasisPaths *paths, GError **error)
{
  gboolean found = def->os.firmware != STASIS_FIRMWARE_EFI || def->os.loader != NULL;
  for (gsize i = 0; !found && i < G_N_ELEMENTS (folders); i++)
    found = search (folders[i], def);
  if (!found)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("no UEFI firmware on this host fits machine '%1$s' (descriptors in '%2$s'; "
                      "Debian's package is 'ovmf')"),
                   def->os.machine, folders[1]);
      return FALSE;
    }
  if (def->os.loader_type == STASIS_LOADER_PFLASH && def->os.nvram == NULL
      && def->os.nvram_template != NULL && def->os.loader_stateless != STASIS_TRISTATE_ON)
    def->os.nvram = stasis_paths_nvram (paths, def->name);
  return TRUE;
}

/* Where there is none; not behind somebody else's link. */
static gboolean
make_folder (const char *folder, GError **error)
{
  g_autoptr (GError) local = NULL;
  stasis_autofd int fd = stasis_safe_open (folder, O_PATH | O_DIRECTORY, &local);
  if (fd >= 0)
    return TRUE;
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return stasis_paths_make (folder, error);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* Make the domain's NVRAM file from its template. */
gboolean
stasis_firmware_make_nvram (const StasisDomainDef *def, GError **error)
{
  if (def->os.nvram == NULL || def->os.nvram_template == NULL
      || g_file_test (def->os.nvram, G_FILE_TEST_EXISTS))
    return TRUE;

  g_autofree char *folder = g_path_get_dirname (def->os.nvram);
  g_autofree char *octets = NULL;
  gsize size = 0;
  if (!g_file_get_contents (def->os.nvram_template, &octets, &size, error)
      || !make_folder (folder, error))
    return FALSE;
  if (size > NVRAM_SIZE_MAX)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, _ ("'%s' is too large"),
                   def->os.nvram_template);
      return FALSE;
    }
  return stasis_atomic_file_write (def->os.nvram, octets, size, 0600, error);
}
