/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-convert.c: a save image of one kind into one of another, for the public API
 *
 * The input is only read.  An output that is named gets its name when it is complete; one that is a
 * descriptor of a file is cut back where the conversion fails; whoever reads from a pipe notices
 * that it ends too early.
 */

#include "config.h"

#include "driver/image-convert.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/driver-private.h"
#include "driver/image-facts.h"
#include "driver/image-job.h"
#include "driver/image-open.h"
#include "driver/image-owner.h"
#include "driver/marks.h"
#include "driver/registry.h"
#include "driver/save-target.h"
#include "image/convert.h"
#include "image/disks.h"
#include "image/origin.h"
#include "image/streamed-writer.h"
#include "util/atomic-file.h"
#include "util/fd.h"
#include "util/uuid.h"

#define ZSTD_LEVEL_MAX STASIS_STREAMED_LEVEL_MAX

typedef struct
{
  StasisDriver *driver;                 /* (borrowed) */
  const StasisImageConversion *request; /* (borrowed) */
  const char *in_name;                  /* (borrowed) (nullable) of a descriptor */
  StasisImageInput *input;              /* (owned) */
  StasisImageOutput output;
  StasisImagePeek peek; /* (owned) */
  GBytes *xml;          /* (owned, nullable) */
  GBytes *cookie;       /* (owned, nullable) */
  StasisJson *facts;    /* (owned, nullable) */
  StasisJson *origin;   /* (owned, nullable) */
  StasisImageJob job;
  GCancellable *cancellable; /* (borrowed) */
} Conversion;

static void
conversion_clear (Conversion *self)
{
  stasis_image_input_free (self->input);
  stasis_image_peek_clear (&self->peek);
  g_clear_pointer (&self->xml, g_bytes_unref);
  g_clear_pointer (&self->cookie, g_bytes_unref);
  stasis_json_unref (self->facts);
  stasis_json_unref (self->origin);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Conversion, conversion_clear)

static gboolean G_GNUC_PRINTF (2, 3) throw_argument (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, message);
  return FALSE;
}

/* "zstd", "zstd:LEVEL" or "none". */
static gboolean
parse_compression (const char *text, int *out_level, GError **error)
{
  *out_level = 0;
  if (text == NULL || strcmp (text, "none") == 0)
    return TRUE;
  guint64 level = STASIS_STREAMED_LEVEL_DEFAULT;
  if (strcmp (text, "zstd") == 0
      || (g_str_has_prefix (text, "zstd:")
          && g_ascii_string_to_unsigned (text + strlen ("zstd:"), 10, 1, ZSTD_LEVEL_MAX, &level,
                                         NULL)))
    {
      *out_level = (int) level;
      return TRUE;
    }
  return throw_argument (error,
                         _ ("'%1$s' is no compression: use zstd, zstd:1 to zstd:%2$d or none"),
                         text, ZSTD_LEVEL_MAX);
}

/* What is to be written. */
static gboolean
choose_output (Conversion *self, GError **error)
{
  const StasisImageConversion *request = self->request;
  StasisImageOutput *output = &self->output;
  if (!parse_compression (request->compression, &output->level, error))
    return FALSE;
  if (request->out_kind != NULL)
    {
      if (!stasis_image_kind_from_string (request->out_kind, &output->kind, error))
        return FALSE;
    }
  else
    output->kind = request->out_path != NULL && output->level == 0
                       ? STASIS_IMAGE_KIND_STASIS
                       : STASIS_IMAGE_KIND_STASIS_STREAM;
  if (output->level == 0 || output->kind == STASIS_IMAGE_KIND_STASIS_STREAM
      || output->kind == STASIS_IMAGE_KIND_LIBVIRT_ZSTD)
    return TRUE;
  return throw_argument (error, _ ("an image of kind '%s' is not compressed by zstd"),
                         stasis_image_kind_to_string (output->kind));
}

static gboolean
open_input (Conversion *self, GError **error)
{
  const StasisImageConversion *request = self->request;
  StasisImageKind wanted = STASIS_IMAGE_KIND_STASIS;
  if (request->in_kind != NULL && !stasis_image_kind_from_string (request->in_kind, &wanted, error))
    return FALSE;
  self->input
      = request->in_path == NULL && self->in_name != NULL
            ? stasis_image_open_any_fd (request->in_fd, self->in_name, self->cancellable, error)
            : stasis_image_open_any (request->in_path, request->in_fd, self->cancellable, error);
  if (self->input == NULL)
    return FALSE;
  const StasisImageKind kind = stasis_image_input_kind (self->input);
  if (request->in_kind == NULL || kind == wanted)
    return TRUE;
  return throw_argument (error, _ ("'%1$s' is an image of kind '%2$s', not '%3$s'"),
                         stasis_image_input_name (self->input), stasis_image_kind_to_string (kind),
                         request->in_kind);
}

/* (transfer full): of a domain that a server has. */
static char *
get_definition_there (StasisDriver *driver, const char *uuid, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_driver_lookup_by_uuid (driver, uuid, error);
  return domain != NULL ? stasis_domain_get_xml (
             domain, STASIS_XML_INACTIVE | STASIS_XML_MIGRATABLE | STASIS_XML_SECURE, error)
                        : NULL;
}

/* (transfer full) */
static char *
get_definition (StasisDriver *driver, const char *uuid, GError **error)
{
  if (stasis_driver_get_ops (driver) != NULL)
    return get_definition_there (driver, uuid, error);
  g_autofree char *name = stasis_registry_name_of_uuid (driver, uuid);
  if (name == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN, _ ("no domain '%s'"), uuid);
      return NULL;
    }
  g_autoptr (StasisDomainDef) def = stasis_registry_load (driver, name, error);
  return def != NULL ? stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_INACTIVE
                                                          | STASIS_DOMAIN_FORMAT_MIGRATABLE
                                                          | STASIS_DOMAIN_FORMAT_SECURE)
                     : NULL;
}

/* A trailer knows its domain by the UUID only: the definition is the one that we have. */
static gboolean
find_definition (Conversion *self, GError **error)
{
  const guint8 *octets = stasis_image_input_trailer_uuid (self->input);
  const char *image_name = stasis_image_input_name (self->input);
  if (octets == NULL)
    return throw_argument (error,
                           _ ("'%s' says only at its end whose it is: an image of kind 'trailer' "
                              "from a pipe can only become one of the same kind"),
                           image_name);
  g_autofree char *uuid = stasis_uuid_format (octets);
  g_autoptr (GError) local = NULL;
  char *xml = get_definition (self->driver, uuid, &local);
  if (xml != NULL)
    self->xml = g_bytes_new_take (xml, strlen (xml));
  else if (g_error_matches (local, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN))
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN,
                 _ ("'%1$s' has no definition inside, and no domain with its UUID %2$s is "
                    "defined"),
                 image_name, uuid);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return xml != NULL;
}

/* The definition, and whose it is. */
static gboolean
take_definition (Conversion *self, GError **error)
{
  const char *name = stasis_image_input_name (self->input);
  StasisImageOutput *output = &self->output;
  if (stasis_image_input_kind (self->input) == STASIS_IMAGE_KIND_TRAILER
      && output->kind == STASIS_IMAGE_KIND_TRAILER)
    return TRUE;
  GBytes *xml = stasis_image_input_xml (self->input);
  if (xml != NULL)
    self->xml = g_bytes_ref (xml);
  else if (!find_definition (self, error))
    return FALSE;
  output->xml = self->xml;

  const StasisImage *ours = stasis_image_input_ours (self->input);
  if (!stasis_image_peek (self->xml, name, &self->peek, error))
    return FALSE;
  if (ours != NULL)
    memcpy (output->domain_uuid, stasis_image_domain_uuid (ours), STASIS_IMAGE_UUID_SIZE);
  else if (self->peek.uuid == NULL)
    return throw_argument (error, _ ("the definition in '%s' has no UUID"), name);
  else if (!stasis_uuid_parse (self->peek.uuid, output->domain_uuid, error))
    return FALSE;
  output->has_uuid = TRUE;
  return TRUE;
}

/* The memory lies in place unless the emulator, where it is at hand, could not load it. */
static gboolean
should_map (const Conversion *self)
{
  if (self->peek.emulator == NULL || stasis_driver_get_ops (self->driver) != NULL)
    return TRUE;
  g_autoptr (StasisQemuCaps) caps
      = stasis_driver_get_caps (self->driver, self->peek.emulator, NULL);
  return caps == NULL || stasis_qemu_caps_has_migration (caps, "mapped-ram");
}

static gboolean
fill_output (Conversion *self, GError **error)
{
  StasisImageOutput *output = &self->output;
  const StasisImage *ours = stasis_image_input_ours (self->input);
  if (!take_definition (self, error))
    return FALSE;
  output->mapped = output->kind == STASIS_IMAGE_KIND_STASIS && should_map (self);
  output->was_running = stasis_image_input_was_running (self->input);
  output->cookie = self->cookie = stasis_image_find_cookie (self->input);
  if (output->kind != STASIS_IMAGE_KIND_STASIS && output->kind != STASIS_IMAGE_KIND_STASIS_STREAM)
    return TRUE;

  self->facts = stasis_image_make_facts (self->input, &self->peek, output->mapped,
                                         self->cancellable, error);
  if (self->facts == NULL)
    return FALSE;
  self->origin = stasis_image_origin_new (
      stasis_image_kind_to_string (stasis_image_input_kind (self->input)),
      ours != NULL ? stasis_image_writer_version (ours) : NULL,
      ours != NULL ? stasis_image_origin (ours) : NULL);
  output->facts = self->facts;
  output->origin = self->origin;
  return TRUE;
}

/* A restore of a kind that cannot say that would write to them.  What comes through a pipe says so
 * at its end. */
static gboolean
check_kept_disks (const Conversion *self, GError **error)
{
  const StasisImageKind kind = self->output.kind;
  if (kind == STASIS_IMAGE_KIND_STASIS || kind == STASIS_IMAGE_KIND_STASIS_STREAM
      || !stasis_image_disks_any_snapshot (stasis_image_input_disks (self->input)))
    return TRUE;
  g_set_error (
      error, STASIS_ERROR, STASIS_ERROR_REFUSED,
      _ ("'%1$s' keeps the disks of its moment, and an image of the kind '%2$s' cannot say "
         "that they must not be written to: restore it, and save the guest as that"),
      stasis_image_input_name (self->input), stasis_image_kind_to_string (kind));
  return FALSE;
}

static gboolean
run (Conversion *self, int fd, GError **error)
{
  const gboolean is_known
      = stasis_driver_get_ops (self->driver) == NULL && stasis_image_input_is_file (self->input)
        && stasis_mark_is_verified (self->driver->paths, stasis_image_input_fd (self->input));
  self->output.fd = fd;
  return check_kept_disks (self, error)
         && stasis_image_convert_input (self->input, &self->output, is_known, stasis_image_job_tell,
                                        &self->job, self->cancellable, error)
         && check_kept_disks (self, error);
}

static gboolean
run_to_path (Conversion *self, GError **error)
{
  g_autoptr (StasisSaveTarget) target = stasis_save_target_new (self->request->out_path, error);
  g_autoptr (StasisAtomicFile) file
      = target != NULL ? stasis_save_target_begin (target, error) : NULL;
  return file != NULL && run (self, stasis_atomic_file_fd (file), error)
         && (!stasis_image_input_is_file (self->input)
             || stasis_image_owner_keep (stasis_image_input_fd (self->input),
                                         stasis_image_input_name (self->input),
                                         stasis_atomic_file_fd (file), error))
         && !g_cancellable_set_error_if_cancelled (self->cancellable, error)
         && stasis_atomic_file_rename (file, NULL, error);
}

/* A file has to be empty. */
gboolean
stasis_image_convert_check_fd (int fd, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot write to descriptor %d"), fd);
  if (S_ISREG (st.st_mode) && st.st_size > 0)
    return throw_argument (error, _ ("descriptor %d is a file that is not empty"), fd);
  return TRUE;
}

/* What went into a file is taken away again. */
void
stasis_image_convert_cut_fd (int fd)
{
  struct stat st;
  if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode) && ftruncate (fd, 0) < 0)
    g_warning ("cannot cut back the output that is not complete: %s", g_strerror (errno));
}

static gboolean
run_to_fd (Conversion *self, GError **error)
{
  const int fd = self->request->out_fd;
  if (!stasis_image_convert_check_fd (fd, error))
    return FALSE;
  if (run (self, fd, error))
    return TRUE;
  stasis_image_convert_cut_fd (fd);
  return FALSE;
}

static gboolean
convert (Conversion *self, char ***out_lost, GError **error)
{
  if (!choose_output (self, error) || !open_input (self, error) || !fill_output (self, error)
      || !(self->request->out_path != NULL ? run_to_path (self, error) : run_to_fd (self, error)))
    return FALSE;
  if (out_lost != NULL)
    *out_lost = stasis_image_list_lost (self->input, self->output.kind);
  return TRUE;
}

/* The input has a name. */
gboolean
stasis_image_convert_named (StasisDriver *driver, const StasisImageConversion *request,
                            const char *in_name, char ***out_lost, StasisProgressFunc progress,
                            gpointer user_data, GCancellable *cancellable, GError **error)
{
  g_autofree char *operation = g_strdup ("convert");
  g_auto (Conversion) self = { .driver = driver,
                               .request = request,
                               .in_name = in_name,
                               .job = stasis_image_job_begin (operation, progress, user_data),
                               .cancellable = cancellable };
  g_autoptr (GError) local = NULL;
  const gboolean ok = convert (&self, out_lost, &local);
  stasis_image_job_end (&self.job, local);
  if (!ok)
    g_propagate_error (error, g_steal_pointer (&local));
  return ok;
}

/**
 * stasis_image_convert:
 * @driver: a driver
 * @request: what is to be converted into what
 * @out_lost: (out) (optional) (array zero-terminated=1) (transfer full): what the new image cannot
 *   say, for people; set on success
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): stops it
 * @error: return location
 *
 * Makes an image of another kind out of one.  The input is read once, checked to its end and never
 * changed.  A named output is complete or not there, and an older one stays until then; an output
 * that is a file by its descriptor is cut back on failure.  An image that is ours keeps its UUID,
 * so that what is known of one is known of the other.  Of a driver that is elsewhere paths are of
 * its host, and a descriptor is a pipe to it, or a file here that is converted on both sides where
 * its kind needs one; between two descriptors all is done here.
 *
 * Returns: %TRUE if the new image is complete
 */
gboolean
stasis_image_convert (StasisDriver *driver, const StasisImageConversion *request, char ***out_lost,
                      StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
                      GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (driver);
  if (ops != NULL && (request->in_path != NULL || request->out_path != NULL))
    return ops->convert_image (driver, request, out_lost, progress, user_data, cancellable, error);
  return stasis_image_convert_named (driver, request, NULL, out_lost, progress, user_data,
                                     cancellable, error);
}
