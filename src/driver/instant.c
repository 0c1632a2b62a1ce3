/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * instant.c: whether and how a guest's memory can be mapped from a save image
 *
 * Theory of operation
 *
 * The pages of guest memory lie in our own image as they lie in memory: a private mapping of the
 * file is the guest's memory, nothing is read before the guest wants it, and what the guest writes
 * stays its own.  QEMU is given a view of the rest (image/view.h).
 *
 * This is a matter of speed alone: whatever stands against it is a reason to load in parallel,
 * which is what the caller does then.  What has to be true: the memory is one RAMBlock of the size
 * that QEMU will want, of no special kind; QEMU can map from within a file; nobody but root and we
 * could write to the file while the guest runs on it; no page has data that its bitmap disowns.
 *
 * A QEMU that cannot map from within a file may map one of the memory alone: instant-flat.c.
 *
 * An image that bears this host's stamp was verified when it was written, so its guest may run at
 * once.  What went wrong below the file system since then no stamp tells: the supervisor verifies
 * the image while the guest runs (supervisor/memory-check.c).
 */

#include "config.h"

#include "driver/instant.h"

#include <sys/mman.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/command.h"
#include "driver/image-owner.h"
#include "driver/instant-flat.h"
#include "driver/marks.h"
#include "image/chain-body.h"
#include "image/verify.h"
#include "image/view.h"
#include "util/fd.h"

/* Of what is loaded over the memory that is mapped from the root. */
#define CHAIN_DATA_MAX (G_GUINT64_CONSTANT (16) << 30)

static gboolean G_GNUC_PRINTF (2, 3) refuse (StasisInstant *self, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  self->why_not = g_strdup_vprintf (format, args);
  va_end (args);
  return FALSE;
}

static gboolean
check_kind (StasisInstant *self, const StasisImageInput *input)
{
  return (stasis_image_input_is_file (input)
          && stasis_image_input_kind (input) == STASIS_IMAGE_KIND_STASIS
          && stasis_image_ram_map (stasis_image_input_ours (input)) != NULL)
         || refuse (self, _ ("the memory does not lie in place in an image of this kind"));
}

/* Who may write to the file may change the guest. */
static gboolean
check_file (StasisInstant *self, int fd)
{
  if (!stasis_image_owner_check (fd, "", NULL))
    return refuse (self, _ ("others could change the image while the guest runs on it"));
  if (stasis_memory_image_is_in_memory (fd))
    return refuse (self, _ ("the image's file system is in memory, where holes that are read fill "
                            "up"));
  return TRUE;
}

/* Without rom=off a read-only file is a read-only memory. */
gboolean
stasis_instant_is_from_within (const StasisQemuCaps *caps)
{
  return stasis_qemu_caps_has_migration (caps, "mapped-ram")
         && stasis_qemu_caps_has_property (caps, STASIS_QEMU_FILE_MEMORY, "offset")
         && stasis_qemu_caps_has_property (caps, STASIS_QEMU_FILE_MEMORY, "rom");
}

gboolean
stasis_instant_check_definition (StasisInstant *self, const StasisDomainDef *def)
{
  return (stasis_command_ram_is_plain (def) && !def->memory_backing.locked
          && g_strcmp0 (def->memory_backing.allocation, "immediate") != 0)
         || refuse (self, _ ("<memoryBacking> says what the memory is made of"));
}

/* The machine's memory; it may be mapped as one. */
static const StasisImageBlock *
find_block (StasisInstant *self, const StasisInstantRequest *request, const StasisImage *image)
{
  const StasisDomainDef *def = request->def;
  const char *name = stasis_qemu_caps_ram_id (request->caps, def->os.machine);
  const StasisImageBlock *block = stasis_image_ram_map_lookup (stasis_image_ram_map (image), name);
  if (block != NULL && block->used_length == (guint64) stasis_command_ram_size (def)
      && block->pages_offset % (guint64) sysconf (_SC_PAGESIZE) == 0)
    return block;
  refuse (self, _ ("the image has no RAM block '%1$s' that is as large as the domain's memory"),
          name);
  return NULL;
}

StasisMemoryCheck
stasis_instant_choose_check (StasisRestoreFlags flags, gboolean is_stamped)
{
  if (flags & STASIS_RESTORE_VERIFY_NONE)
    return STASIS_MEMORY_CHECK_NONE;
  if (flags & STASIS_RESTORE_VERIFY_FULL)
    return STASIS_MEMORY_CHECK_BEFORE;
  return is_stamped || (flags & STASIS_RESTORE_VERIFY_BACKGROUND) ? STASIS_MEMORY_CHECK_BACKGROUND
                                                                  : STASIS_MEMORY_CHECK_BEFORE;
}

/* All of an incremental image that is not in its root.  FALSE where it is refused. */
static gboolean
prepare_chain (StasisInstant *self, const StasisInstantRequest *request,
               const StasisImageBlock *block, GCancellable *cancellable, GError **error)
{
  const guint n = stasis_image_chain_n (self->chain);
  for (guint i = 0; i + 1 < n && (request->flags & STASIS_RESTORE_VERIFY_NONE) == 0; i++)
    if (!stasis_image_verify (stasis_image_chain_get (self->chain, i), STASIS_IMAGE_VERIFY_NONE, 0,
                              NULL, NULL, cancellable, error))
      return FALSE;
  const StasisImage *top = stasis_image_chain_get (self->chain, 0);
  stasis_autofd int view = memfd_create ("stasis-view", MFD_CLOEXEC);
  if (view < 0)
    return stasis_throw_errno (error, _ ("cannot make a memory file"));
  if (!stasis_image_chain_write_body (self->chain, view, stasis_image_body_offset (top),
                                      block->name, CHAIN_DATA_MAX, NULL, NULL, cancellable, error))
    return FALSE;
  self->view = stasis_fd_steal (&view);
  return TRUE;
}

static gboolean
make_view (StasisInstant *self, const StasisInstantRequest *request, const StasisImageBlock *block,
           GCancellable *cancellable, GError **error)
{
  const StasisImage *image = stasis_image_input_ours (request->input);
  g_autoptr (GError) local = NULL;
  if (self->chain != NULL)
    return prepare_chain (self, request, block, cancellable, error);
  self->view = stasis_image_view_new (image, block, STASIS_IMAGE_VIEW_MAX, cancellable, &local);
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (self->view < 0)
    refuse (self, "%s", local->message);
  return TRUE;
}

/* The root of an incremental image has nobody else to verify it in time: the caller knows only the
 * image that it was asked for. */
static gboolean
verify_root (const StasisInstant *self, GCancellable *cancellable, GError **error)
{
  return self->chain == NULL || self->memory.check != STASIS_MEMORY_CHECK_BEFORE
         || stasis_image_verify (stasis_image_chain_root (self->chain), STASIS_IMAGE_VERIFY_NONE, 0,
                                 NULL, NULL, cancellable, error);
}

/* From within the image. */
static gboolean
prepare_within (StasisInstant *self, const StasisInstantRequest *request, GCancellable *cancellable,
                GError **error)
{
  const StasisImageInput *input = request->input;
  if (!check_kind (self, input))
    return TRUE;
  const StasisImage *image = stasis_image_input_ours (input);
  if (stasis_image_parent (image) != NULL)
    {
      self->chain = stasis_image_chain_open (image, cancellable, error);
      if (self->chain == NULL
          || ((request->flags & STASIS_RESTORE_TRUST) == 0
              && !stasis_image_owner_check_bases (self->chain, error)))
        return FALSE;
      image = stasis_image_chain_root (self->chain);
    }
  const int fd = stasis_image_fd (image);
  if (!check_file (self, fd) || !stasis_instant_check_definition (self, request->def))
    return TRUE;
  const StasisImageBlock *block = find_block (self, request, image);
  if (block == NULL)
    return TRUE;
  if (!make_view (self, request, block, cancellable, error))
    return FALSE;
  if (self->view < 0)
    return TRUE;
  self->is_stamped = stasis_mark_is_verified (request->paths, fd)
                     && stasis_mark_is_verified (request->paths, stasis_image_input_fd (input));
  self->memory = (StasisMemoryImage){ .fd = fd,
                                      .name = stasis_image_name (image),
                                      .offset = block->pages_offset,
                                      .since_us = g_get_monotonic_time (),
                                      .check = stasis_instant_choose_check (request->flags,
                                                                            self->is_stamped),
                                      .stamp = stasis_mark_verified_path (request->paths, fd) };
  return verify_root (self, cancellable, error);
}

/* Get ready, if it can be done. */
gboolean
stasis_instant_prepare (StasisInstant *self, const StasisInstantRequest *request, GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (request->job);
  if (stasis_instant_is_from_within (request->caps))
    return prepare_within (self, request, cancellable, error);
  return stasis_instant_flat_prepare (self, request, cancellable, error);
}

/* QEMU was started, mapped or not. */
void
stasis_instant_settle (StasisInstant *self)
{
  if (self->memory.refusal == NULL)
    return;
  stasis_fd_clear (&self->view);
  g_clear_pointer (&self->flat, stasis_flat_file_free);
  self->memory.check = STASIS_MEMORY_CHECK_BEFORE;
  self->why_not = g_steal_pointer (&self->memory.refusal);
}

static const char *
describe_flat (const StasisInstant *self)
{
  switch (self->memory.check)
    {
    case STASIS_MEMORY_CHECK_BEFORE:
      return _ ("instant: memory mapped from a flat file of the image's, verified as a whole "
                "first");
    case STASIS_MEMORY_CHECK_BACKGROUND:
      return self->is_made
                 ? _ (
                     "instant: memory mapped from a flat file, made of the image and verified just "
                     "now")
                 : _ ("instant: memory mapped from a flat file of the image's, which is verified "
                      "in the background");
    case STASIS_MEMORY_CHECK_NONE:
      break;
    }
  return _ ("instant: memory mapped from a flat file of the image's, not verified");
}

/* For people. */
const char *
stasis_instant_describe (const StasisInstant *self)
{
  if (self->flat != NULL)
    return describe_flat (self);
  switch (self->memory.check)
    {
    case STASIS_MEMORY_CHECK_BEFORE:
      return _ ("instant: memory mapped from the image, verified as a whole first");
    case STASIS_MEMORY_CHECK_BACKGROUND:
      return self->is_stamped
                 ? _ ("instant: memory mapped from the image, which was verified before "
                      "and is once more in the background")
                 : _ ("instant: memory mapped from the image, verified in the "
                      "background");
    case STASIS_MEMORY_CHECK_NONE:
      break;
    }
  return _ ("instant: memory mapped from the image, not verified");
}

void
stasis_instant_clear (StasisInstant *self)
{
  stasis_fd_clear (&self->view);
  stasis_image_chain_free (self->chain);
  stasis_flat_file_free (self->flat);
  g_free (self->why_not);
  g_free (self->memory.stamp);
  g_free (self->memory.refusal);
}
