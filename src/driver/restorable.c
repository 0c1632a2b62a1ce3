/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restorable.c: an opened image that guests are to be started from
 *
 * What a restore and clones have in common before there is a QEMU.
 */

#include "config.h"

#include "driver/restorable.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "driver/error.h"
#include "driver/hook-begin.h"
#include "driver/hook.h"
#include "driver/image-owner.h"
#include "driver/overlay-bases.h"
#include "driver/overlays.h"
#include "driver/registry.h"
#include "driver/source.h"
#include "image/facts.h"
#include "util/fd.h"
#include "util/safe-open.h"
#include "util/uuid.h"

static gboolean
check_file (const StasisRestorable *self, int fd, const char *path, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, "'%s'", path);
  if (!S_ISREG (st.st_mode) && !S_ISFIFO (st.st_mode) && !S_ISSOCK (st.st_mode))
    return stasis_throw_refused (error, _ ("'%s' is neither a regular file nor a pipe"), path);
  return (self->flags & STASIS_RESTORE_TRUST) != 0 || stasis_image_owner_check (fd, path, error);
}

/* @fd_take -1: open the path. */
static gboolean
open_input (StasisRestorable *self, int fd_take, const char *path, GCancellable *cancellable,
            GError **error)
{
  stasis_autofd int fd
      = fd_take >= 0 ? fd_take : stasis_safe_open (path, O_RDONLY | O_NONBLOCK, error);
  if (fd < 0 || !check_file (self, fd, path, error))
    return FALSE;
  self->input = stasis_source_open (stasis_fd_steal (&fd), path, cancellable, error);
  return self->input != NULL;
}

/* The definition of the domain that is defined under this UUID. */
static StasisDomainDef *
load_defined (const StasisRestorable *self, GError **error)
{
  g_autofree char *text = stasis_uuid_format (stasis_image_input_trailer_uuid (self->input));
  g_autofree char *name = stasis_registry_name_of_uuid (self->driver, text);
  if (name != NULL)
    return stasis_registry_load (self->driver, name, error);
  g_set_error (
      error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN,
      _ ("'%1$s' holds no definition, and no domain is defined with the UUID that it names, "
         "%2$s"),
      stasis_image_input_name (self->input), text);
  return NULL;
}

static StasisDomainDef *
parse_image_xml (const StasisRestorable *self, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autofree char *xml = stasis_source_xml (self->input, &local);
  if (xml != NULL)
    return stasis_driver_parse (self->driver, xml, stasis_image_input_name (self->input),
                                STASIS_DOMAIN_PARSE_DEFAULT, error);
  if (local == NULL)
    return load_defined (self, error);
  g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

/* @xml instead, of the same guest ABI. */
static gboolean
replace_definition (StasisRestorable *self, const char *xml, const char *source_name,
                    GError **error)
{
  g_autoptr (StasisDomainDef) wanted
      = stasis_driver_parse (self->driver, xml, source_name, STASIS_DOMAIN_PARSE_DEFAULT, error);
  if (wanted == NULL || !stasis_domain_def_check_abi (self->def, wanted, error))
    return FALSE;
  stasis_domain_def_free (self->def);
  self->def = g_steal_pointer (&wanted);
  return TRUE;
}

/* The image's, or the caller's; hooks have the last word. */
static gboolean
load_definition (StasisRestorable *self, const char *xml, GCancellable *cancellable, GError **error)
{
  self->def = parse_image_xml (self, error);
  if (self->def == NULL || (xml != NULL && !replace_definition (self, xml, NULL, error)))
    return FALSE;
  g_autofree char *filtered = NULL;
  if (!stasis_hook_filter (self->driver, self->def, "restore", &filtered, cancellable, error))
    return FALSE;
  g_autoptr (GError) local = NULL;
  return filtered == NULL
         || replace_definition (self, filtered, _ ("the definition from a hook"), &local)
         || stasis_hook_throw (g_steal_pointer (&local), error);
}

static gboolean
check_capability (const StasisRestorable *self, const StasisQemuCaps *caps, const char *name,
                  GError **error)
{
  if (stasis_qemu_caps_has_migration (caps, name))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("'%1$s' (QEMU %2$s) cannot read this image: it lacks the migration "
                  "capability '%3$s'"),
               self->def->emulator, stasis_qemu_caps_version (caps), name);
  return FALSE;
}

/* The emulator has what the guest was saved with.  What other kinds of images do not say stands in
 * their definition, or comes out when QEMU reads the stream. */
static gboolean
check_emulator (const StasisRestorable *self, GError **error)
{
  const char *emulator = self->def->emulator;
  g_autoptr (StasisQemuCaps) caps = stasis_driver_get_caps (self->driver, emulator, error);
  if (caps == NULL)
    return FALSE;
  const StasisImage *image = stasis_image_input_ours (self->input);
  if (image == NULL)
    return !stasis_source_is_mapped (self->input)
           || check_capability (self, caps, "mapped-ram", error);

  const StasisJson *facts = stasis_image_qemu_facts (image);
  const char *machine
      = stasis_json_string (stasis_json_get (facts, STASIS_IMAGE_FACTS_MACHINE), "");
  if (stasis_qemu_caps_canonical_machine (caps, machine) == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("'%1$s' (QEMU %2$s) has no machine '%3$s', which the guest was saved with"),
                   emulator, stasis_qemu_caps_version (caps), machine);
      return FALSE;
    }
  const StasisJson *needed = stasis_json_get (facts, STASIS_IMAGE_FACTS_CAPABILITIES);
  for (guint i = 0; i < stasis_json_array_length (needed); i++)
    if (!check_capability (self, caps, stasis_json_string (stasis_json_array_get (needed, i), ""),
                           error))
      return FALSE;
  return TRUE;
}

/* Refuse flags of which one contradicts another. */
gboolean
stasis_restorable_check_flags (StasisRestoreFlags flags, GError **error)
{
  if ((flags & STASIS_RESTORE_RUNNING) && (flags & STASIS_RESTORE_PAUSED))
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("a domain cannot be resumed both running and paused"));
      return FALSE;
    }
  if ((flags & STASIS_RESTORE_PARALLEL) && (flags & STASIS_RESTORE_FLAT))
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("a flat file is for memory that is mapped, not loaded"));
      return FALSE;
    }
  const guint when = flags
                     & (STASIS_RESTORE_VERIFY_FULL | STASIS_RESTORE_VERIFY_BACKGROUND
                        | STASIS_RESTORE_VERIFY_NONE);
  if ((when & (when - 1)) == 0)
    return TRUE;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                       _ ("an image can be verified in one way only"));
  return FALSE;
}

/* Open the image, and ask whatever may say no of it by itself. */
gboolean
stasis_restorable_open (StasisRestorable *self, int fd_take, const char *path, const char *xml,
                        GCancellable *cancellable, GError **error)
{
  return open_input (self, fd_take, path, cancellable, error)
         && load_definition (self, xml, cancellable, error) && check_emulator (self, error);
}

/* Look whether the memory can be mapped; what stands against it is told with the statistics. */
gboolean
stasis_restorable_prepare_instant (const StasisRestorable *self, StasisInstant *out_instant,
                                   StasisJob *job, GError **error)
{
  stasis_flat_store_sweep (self->driver->paths);
  if (self->flags & STASIS_RESTORE_PARALLEL)
    return TRUE;
  g_autoptr (StasisQemuCaps) caps
      = stasis_driver_get_caps (self->driver, self->def->emulator, error);
  if (caps == NULL)
    return FALSE;
  const StasisInstantRequest request = {
    .input = self->input,
    .def = self->def,
    .caps = caps,
    .paths = self->driver->paths,
    .flags = self->flags,
    .job = job,
  };
  return stasis_instant_prepare (out_instant, &request, error);
}

/* Only the overlays of a clone stand in its image. */
gboolean
stasis_restorable_check_bases (const StasisRestorable *self, GError **error)
{
  g_autofree char *folder = stasis_overlays_of (self->driver->paths, self->def);
  return folder == NULL || stasis_overlay_bases_check (self->def, folder, error);
}

/* As it was, unless somebody wants it otherwise. */
gboolean
stasis_restorable_should_run (const StasisRestorable *self)
{
  if (self->flags & STASIS_RESTORE_RUNNING)
    return TRUE;
  return stasis_source_was_running (self->input) && (self->flags & STASIS_RESTORE_PAUSED) == 0;
}

void
stasis_restorable_clear (StasisRestorable *self)
{
  stasis_domain_def_free (self->def);
  stasis_image_input_free (self->input);
}
